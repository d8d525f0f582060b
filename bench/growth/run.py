"""Measures how costs grow, and prints the curves: `python -m bench.growth.run`, or `make bench-growth`."""

import argparse
import json
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from statistics import median

from bench.gates import Gate, Verdict
from bench.growth.axes import AXES, Axis, Series
from bench.growth.curves import drawn
from bench.growth.fit import Fit, fitted
from bench.growth.ground import LANGUAGE, Ground
from bench.machine import facts
from bench.measurement import Figures, figures
from bench.scenarios.requests import Server
from bench.scenarios.scenario import Bench, Run, Scale
from bench.service import USER, Service
from bench.wrk import Wrk
from local.fetch import wrk
from local.fetch.debian_packages import PackagesError
from local.run import complain
from local.state import ROOT
from local.supervisor.managed_process import PartError

RESULTS = ROOT / "bench" / "results" / "growth.json"
#: How far the largest may be above the law of the others: what a shared machine's figures spread.
TOLERANCE = 1.3
SECONDS = 2
#: Requests in one run of what one client asks, one after the other.
TIMES = 200
#: Few enough that a single worker serves them in time.
CLIENTS = 8
#: What a constant costs under Flask at the same time, in microseconds of CPU a request.
CONTROL = "control"
#: Parts that are there whatever the runtime does.
OWN = ("controller", "redis", "postgres")
announce = partial(print, flush=True, file=sys.stderr)


@dataclass(frozen=True)
class Curve:
    """The figures of a series, each a list of a median for each size."""

    axis: Axis
    series: Series
    sizes: list[int]
    figures: dict[str, list[float]]

    @property
    def name(self) -> str:
        return f"{self.axis.name}/{self.series.name}"

    @property
    def costs(self) -> list[float]:
        """The judged figure in units of the control's, which drifts with the machine as ours do."""
        costs = zip(self.figures[self.series.judged], self.figures[CONTROL], strict=True)
        return [cost / control for cost, control in costs]

    @property
    def fit(self) -> Fit:
        return fitted(list(zip(self.sizes, self.costs, strict=True)), linear=self.series.linear)

    @property
    def verdicts(self) -> tuple[Verdict, Verdict]:
        return (
            Gate(self.name, "excess", TOLERANCE).verdict({"excess": [self.fit.excess]}),
            Gate(self.name, "errors", 0).verdict({"errors": [sum(self.figures["errors"])]}),
        )

    @property
    def reached(self) -> bool:
        return all(verdict.reached for verdict in self.verdicts)

    def document(self) -> dict[str, object]:
        return {
            "axis": self.axis.name,
            "size": self.axis.title,
            "title": self.series.title,
            "sizes": self.sizes,
            "costs": [float(f"{cost:.4g}") for cost in self.costs],
            "judged": self.series.judged,
            "law": "linear" if self.series.linear else "logarithmic",
            "fit": asdict(self.fit),
            "reached": self.reached,
            "figures": {name: [float(f"{y:.5g}") for y in values] for name, values in self.figures.items()},
        }


def measured(load: Wrk, axis: Axis, sizes: Sequence[int], scale: Scale, runs: int) -> Iterator[Curve]:
    """The curves of an axis, against a service of its own."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    points: list[dict[str, Figures]] = []
    with Service(folder, [LANGUAGE], "", Path(), axis.controller, axis.runtime) as service:
        ground = Ground(Bench(service, load, scale, announce), USER)
        control = Server("", "", lambda service: service.constant_port, fresh=0.0).prepare(ground.bench)
        for size in sizes:
            announce(f"{axis.name}: {size:,} {axis.title}")
            points.append(rounds(ground.bench, {CONTROL: control, **axis.prepare(ground, size)}, runs))
    for series in axis.series:
        figures_of = {
            name: [median(point[series.name][name]) for point in points] for name in points[0][series.name]
        }
        figures_of[CONTROL] = [median(point[CONTROL]["cpu constant"]) for point in points]
        yield Curve(axis, series, list(sizes), figures_of)


def rounds(bench: Bench, prepared: Mapping[str, Run], runs: int) -> dict[str, Figures]:
    """The figures of so many runs of each, which take turns."""
    found: dict[str, Figures] = {name: defaultdict(list) for name in prepared}
    for _ in range(runs):
        for name, run in prepared.items():
            values = figures(bench.service, run)
            values["cpu own"] = sum(values[f"cpu {part}"] for part in OWN)
            for figure, value in values.items():
                found[name][figure].append(value)
    return found


def table(curves: Sequence[Curve]) -> Iterator[str]:
    """Each curve with its cost in microseconds of CPU a request and its p50 in ms; then the verdicts."""
    for curve in curves:
        fit = curve.fit
        yield f"{curve.name}: {curve.series.title}"
        yield _row(curve.axis.title, [f"{size:,}" for size in curve.sizes])
        yield _row(curve.series.judged, [f"{value:.0f}" for value in curve.figures[curve.series.judged]])
        yield _row("the control's", [f"{value:.0f}" for value in curve.figures[CONTROL]])
        yield _row("p50, ms", [f"{value:.2f}" for value in curve.figures["p50"]])
        yield f"  exponent {fit.exponent:.2f}, {fit.per_decade:+.0%} a decade, excess {fit.excess:.2f}"
        yield ""
    yield from (verdict.text for curve in curves for verdict in curve.verdicts)


def _row(title: str, cells: Sequence[str]) -> str:
    return f"  {title:55}" + "".join(cell.rjust(12) for cell in cells)


def save(path: Path, curves: Sequence[Curve]) -> None:
    """Write the series and their curves, with where they were measured; those of other axes in the file stay."""
    kept = json.loads(path.read_text())["growth"] if path.exists() else {}
    growth = kept | {curve.name: curve.document() for curve in curves}
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"machine": facts(), "growth": growth, "curves": drawn(growth)}
    path.write_text(json.dumps(document, indent=1) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.growth.run", description=__doc__)
    parser.add_argument("--axis", default="*", help="names or patterns, separated by commas")
    parser.add_argument("--largest", type=int, default=10_000_000, help="no size is over that")
    parser.add_argument("--runs", type=int, default=3, help="of each series at each size")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of one run")
    parser.add_argument("--gate", action="store_true", help="status 1 when a curve is too steep")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the figures go")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    patterns = arguments.axis.split(",")
    curves: list[Curve] = []
    try:
        load = Wrk(wrk.program(ROOT / ".local" / wrk.FOLDER))
        for axis in (each for each in AXES if any(fnmatch(each.name, pattern) for pattern in patterns)):
            sizes = axis.up_to(arguments.largest)
            scale = Scale(seconds=arguments.seconds, clients=CLIENTS, times=TIMES)
            curves += measured(load, axis, sizes, scale, arguments.runs)
            save(arguments.results, curves)
    except (PackagesError, PartError) as error:
        complain(error if isinstance(error, PartError) else PartError(str(error)))
        return 1
    except KeyboardInterrupt:
        return 130
    print(*table(curves), sep="\n")
    return int(arguments.gate and not all(curve.reached for curve in curves))


if __name__ == "__main__":
    sys.exit(main())
