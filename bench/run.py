"""Measures the service and its yardsticks, and prints the table: `python -m bench.run`, or `make bench`."""

import argparse
import json
import resource
import signal
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from bench.gates import verdicts
from bench.machine import facts
from bench.means import Means
from bench.measurement import Figures, measure
from bench.scenarios import GROUPS, Group
from bench.scenarios.scenario import Bench, Scale, UnexpectedAnswer
from bench.selection import selected
from bench.table import table
from bench.wrk import LoadError
from local.fetch.debian_packages import PackagesError
from local.run import complain
from local.state import ROOT
from local.supervisor.managed_process import PartError

RESULTS = ROOT / "bench" / "results"
TITLES = {each.name: each.title for group in GROUPS for each in group.scenarios}
announce = partial(print, flush=True, file=sys.stderr)


def run(means: Means, groups: Sequence[Group], scale: Scale, runs: int) -> Iterator[dict[str, Figures]]:
    """The figures of each group in turn, each against a service of its own; of one that failed there are none."""
    latest: dict[str, dict[str, float]] = {}
    for group in groups:
        announce(f"{group.name}: starting the service")
        try:
            with means.service(group) as service:
                bench = Bench(service, means.wrk, scale, announce, latest)
                yield measure(bench, group.scenarios, min(runs, group.runs or runs))
        except PartError as error:
            complain(error)
        except (UnexpectedAnswer, LoadError, OSError) as error:
            announce(f"{group.name} failed: {error}")


def save(path: Path, results: dict[str, Figures]) -> None:
    """Write the figures of every run, with what was measured and where."""
    scenarios = {
        name: {"title": TITLES[name], "runs": {key: _short(values) for key, values in figures.items()}}
        for name, figures in results.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": facts(), "scenarios": scenarios}) + "\n")


def _short(values: list[float]) -> list[float]:
    return [float(f"{value:.4g}") for value in values]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("--scenario", default="*", help="names or patterns, separated by commas")
    parser.add_argument(
        "--runs", type=int, default=5, help="of each scenario; some take too long for as many"
    )
    parser.add_argument("--seconds", type=int, default=Scale.seconds, help="of one run")
    parser.add_argument("--gate", action="store_true", help="status 1 when a target is missed")
    parser.add_argument("--results", type=Path, default=RESULTS / "latest.json", help="where the figures go")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Ten thousand connections take a descriptor each, here and in the controller, which inherits this.
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    chosen = selected(arguments.scenario.split(","))
    results: dict[str, Figures] = {}
    try:
        means = Means(ROOT / ".local", announce, watchdog=any(group.watchdog for group in chosen))
        groups = means.possible(chosen)
        for figures in run(means, groups, Scale(seconds=arguments.seconds), arguments.runs):
            results |= figures
            save(arguments.results, results)
    except (PackagesError, PartError) as error:
        announce(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    print(*table(TITLES, results), sep="\n")
    failed = {each.name for group in groups for each in group.scenarios} - results.keys()
    missed = [verdict for verdict in verdicts(results) if not verdict.reached]
    return int(bool(failed or (arguments.gate and missed)))


if __name__ == "__main__":
    sys.exit(main())
