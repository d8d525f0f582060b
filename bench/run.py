"""Measures the service and its yardsticks, and prints the table: `python -m bench.run`, or `make bench`."""

import argparse
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

from bench.command import FOLDER, announce, save, status_of, wrk_program
from bench.connection import UnexpectedAnswer
from bench.measurement import Figures, measure
from bench.scenarios import GROUPS, Group
from bench.scenarios.scenario import Bench, Scale, Scenario
from bench.service import Service, rust_toolchain
from bench.table import LEGEND, table, verdicts
from bench.wrk import LoadError, Wrk
from local.fetch import node
from local.run import complain
from local.services import RUNTIMES
from local.supervisor.managed_process import PartError


def selected(patterns: Sequence[str]) -> list[Group]:
    """The groups with the scenarios that match a pattern, and with their references."""
    scenarios = {each.name: each for group in GROUPS for each in group.scenarios}
    wanted = [name for name in scenarios if any(fnmatch(name, pattern) for pattern in patterns)]
    for name in wanted:
        wanted += [other for other in scenarios[name].references if other not in wanted]
    return restricted(GROUPS, lambda scenario: scenario.name in wanted)


def restricted(groups: Sequence[Group], wanted: Callable[[Scenario], bool]) -> list[Group]:
    """The groups with those scenarios alone, without empty groups."""
    left = (replace(group, scenarios=tuple(filter(wanted, group.scenarios))) for group in groups)
    return [group for group in left if group.scenarios]


class Means:
    """Node.js and Rust. Says so where Rust is missing."""

    def __init__(self) -> None:
        """Raises PartError where there is no Node.js."""
        self._node = node.program()
        self._rust = rust_toolchain()
        self._languages = list(RUNTIMES)
        if not (self._rust / "toolchain.json").exists():
            announce(f"without Rust: there is no toolchain in {self._rust}")
            self._languages.remove("rust")

    def possible(self, groups: Sequence[Group]) -> list[Group]:
        """The groups, without what cannot be run here."""
        return restricted(groups, lambda scenario: scenario.language in ("", *self._languages))

    def service(self, group: Group) -> Service:
        """A new service for a group."""
        folder = Path(tempfile.mkdtemp(prefix="bench-"))
        variables = (group.controller, group.runtime)
        return Service(folder, self._languages, self._node, self._rust, *variables)


TITLES = {each.name: each.title for group in GROUPS for each in group.scenarios}


def measured(
    means: Means, wrk: Wrk, groups: Sequence[Group], scale: Scale, runs: int
) -> Iterator[dict[str, Figures]]:
    """The figures of each group in turn, each from a new service; a group that fails has none."""
    latest: dict[str, dict[str, float]] = {}
    for group in groups:
        announce(f"{group.name}: starting the service")
        try:
            with means.service(group) as service:
                bench = Bench(service, wrk, scale, announce, latest)
                yield measure(bench, group.scenarios, min(runs, group.runs or runs))
        except PartError as error:
            complain(error)
        except (UnexpectedAnswer, LoadError, OSError) as error:
            announce(f"{group.name} failed: {error}")


def run(arguments: argparse.Namespace) -> int:
    """Measure the chosen scenarios. Raises PackagesError or PartError."""
    # Ten thousand connections take a descriptor each, here and in the controller, which inherits the limit.
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    chosen = selected(arguments.scenario.split(","))
    means = Means()
    groups, results = means.possible(chosen), dict[str, Figures]()
    scale = Scale(seconds=arguments.seconds)
    for figures in measured(means, wrk_program(), groups, scale, arguments.runs):
        results |= figures
        save(arguments.results, {"scenarios": results})
    judged = list(verdicts(results))
    rows = [(name, TITLES[name], figures) for name, figures in results.items()]
    print(*table(rows), LEGEND, *(verdict.text for verdict in judged), sep="\n")
    failed = {each.name for group in groups for each in group.scenarios} - results.keys()
    missed = arguments.gate and not all(verdict.reached for verdict in judged)
    return int(bool(failed) or missed)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("--scenario", default="*", help="names or patterns, separated by commas")
    parser.add_argument("--runs", type=int, default=5, help="of each scenario; long ones have fewer")
    parser.add_argument("--seconds", type=int, default=Scale.seconds, help="of one run")
    parser.add_argument("--gate", action="store_true", help="status 1 when a target is missed")
    parser.add_argument("--results", type=Path, default=FOLDER / "latest.json", help="where the figures go")
    arguments = parser.parse_args()
    return status_of(lambda: run(arguments))


if __name__ == "__main__":
    sys.exit(main())
