"""Measures how costs grow, and prints the table: `python -m bench.growth`, or `make bench-growth`."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from math import log10
from pathlib import Path
from statistics import linear_regression, mean, median
from typing import NamedTuple

from bench.command import FOLDER, announce, save, status_of, wrk_program
from bench.filling import LANGUAGE, Filling
from bench.measurement import Figures, rounds
from bench.scenarios.requests import Server
from bench.scenarios.scenario import Bench, Run, Scale
from bench.service import Service
from bench.table import Gate, Verdict, table

#: The stores and the controller: the start of a worker would hide a request's other costs.
OWN = ("cpu controller", "cpu redis", "cpu postgres")


class Series(NamedTuple):
    """One kind of request. `prepare` is called at each size and returns one run."""

    title: str
    prepare: Callable[[Filling, int], Run]
    judged: tuple[str, ...] = ("cpu all",)
    """Figures. Their sum must not grow faster than the logarithm of the size."""


@dataclass(frozen=True)
class Axis:
    """One quantity. It grows in a service apart, with these variables besides the defaults."""

    name: str
    title: str
    sizes: tuple[int, ...]
    series: tuple[Series, ...]
    grow: Callable[[Filling, int], None] = lambda filling, size: None
    controller: dict[str, str] = field(default_factory=dict)
    runtime: dict[str, str] = field(default_factory=dict)

    def prepare(self, filling: Filling, size: int) -> dict[str, Run]:
        """Reach the size, and return one run of each series, by title."""
        self.grow(filling, size)
        return {each.title: each.prepare(filling, size) for each in self.series}

    def up_to(self, largest: int) -> list[int]:
        """The sizes up to `largest`, and at least the two smallest."""
        return [size for size in self.sizes if size <= largest or size in self.sizes[:2]]


_IN_ANY_SESSION = (
    Series("execute, cached, any of the sessions", Filling.cached),
    Series("execute, warm, any of the sessions", Filling.warm),
)
AXES = (
    Axis(
        "sessions",
        "sessions in the memory of the process",
        (1, 100, 1_000, 10_000),
        _IN_ANY_SESSION,
        Filling.have_sessions,
    ),
    Axis(
        "sessions-in-redis",
        "sessions that are read from Redis",
        (10, 100, 1_000, 10_000, 100_000),
        _IN_ANY_SESSION,
        Filling.have_sessions,
        controller={"SESSIONS_IN_MEMORY": "1"},
    ),
    Axis(
        "scripts",
        "functions of the user, each with another script",
        (1, 100, 1_000, 10_000),
        (
            Series("initialize by a title, any of them", Filling.initialized_by_title, OWN),
            Series("the first page of the functions", Filling.page, OWN),
        ),
        Filling.have_functions,
    ),
    Axis(
        "workers",
        "warm workers, each of another script",
        (1, 5, 10, 25, 50),
        (Series("execute, warm, all of them in turn", Filling.rotated),),
        # By default idle workers are ended for their memory before there are fifty.
        runtime={"WORKERS_MAX": "60", "WORKERS_PER_SCRIPT_MAX": "1", "POOL_MEMORY_MAX_BYTES": str(8 << 30)},
    ),
    Axis(
        "log-rows",
        "rows in request_logs",
        (0, 10_000, 100_000, 1_000_000),
        (
            Series("execute, cached: one row more", Filling.cached, ("cpu postgres",)),
            Series("a session's status", Filling.status, OWN),
            Series("initialize, known script", Filling.initialized, OWN),
        ),
        Filling.have_log_rows,
    ),
)


#: How far the cost at the largest size may lie above the law of the others: the spread on a shared machine.
TOLERANCE = 1.3
#: Few clients, whose requests a single worker serves in time; short runs; many requests of the one client.
SCALE = Scale(seconds=2, clients=8, times=200)
#: Flask with a constant answer: costs are judged in units of it, because the machine's speed drifts.
CONTROL = Server("", "control: a constant", "", lambda service: service.constant_port, fresh=0.0)
#: The figures of each series by its title, at each size.
Growth = dict[int, dict[str, Figures]]


def measured(axis: Axis, sizes: Sequence[int], runs: int) -> Growth:
    """The figures of an axis, from a new service."""
    folder, found = Path(tempfile.mkdtemp(prefix="bench-")), Growth()
    with Service(folder, [LANGUAGE], "", Path(), axis.controller, axis.runtime) as service:
        filling = Filling(Bench(service, wrk_program(), SCALE, announce))
        control = CONTROL.prepare(filling.bench)
        for size in sizes:
            announce(f"{axis.name}: {size:,} {axis.title}")
            found[size] = rounds(
                filling.bench, {CONTROL.title: control, **axis.prepare(filling, size)}, runs, {}
            )
    return found


def verdicts(axis: Axis, growth: Growth) -> Iterator[Verdict]:
    """Of each series: its growth, and its errors."""
    control = [median(found[CONTROL.title]["cpu constant"]) for found in growth.values()]
    for series in axis.series:
        figures = [found[series.title] for found in growth.values()]
        sums = [sum(median(each[figure]) for figure in series.judged) for each in figures]
        costs = [cost / unit for cost, unit in zip(sums, control, strict=True)]
        steep = excess(list(zip(growth, costs, strict=True)))
        name = f"{axis.name}, {series.title}"
        yield Gate(name, "excess", TOLERANCE).verdict({"excess": [steep]})
        yield Gate(name, "errors", 0).verdict({"errors": [sum(sum(each["errors"]) for each in figures)]})


def excess(points: Sequence[tuple[float, float]]) -> float:
    """The cost at the largest size, as a multiple of what a law through the other points predicts.

    The law is a + b log(size), with b not negative. A cost that grows faster lies above the law at the end,
    whatever a and b are. Size 0 counts as 1.
    """
    *known, (largest, cost) = [(log10(max(x, 1.0)), y) for x, y in points]
    sizes, costs = zip(*known, strict=True)
    slope = max(linear_regression(sizes, costs).slope, 0.0) if len(known) > 1 else 0.0
    predicted = mean(costs) + slope * (largest - mean(sizes))
    return cost / predicted if predicted else 1.0


def run(arguments: argparse.Namespace) -> int:
    """Measure the chosen axes. Raises PackagesError or PartError."""
    chosen = [axis for axis in AXES if any(fnmatch(axis.name, each) for each in arguments.axis.split(","))]
    found = {axis.name: measured(axis, axis.up_to(arguments.largest), arguments.runs) for axis in chosen}
    save(arguments.results, {"growth": found})
    judged = [verdict for axis in chosen for verdict in verdicts(axis, found[axis.name])]
    for axis in chosen:
        for title in found[axis.name][axis.sizes[0]]:
            rows = [(f"{size:,}", title, at[title]) for size, at in found[axis.name].items()]
            print(axis.title, *table(rows), sep="\n")
    print(*(verdict.text for verdict in judged), sep="\n")
    return int(arguments.gate and not all(verdict.reached for verdict in judged))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--axis", default="*", help="names or patterns, separated by commas")
    parser.add_argument("--largest", type=int, default=1_000_000, help="larger sizes are left out")
    parser.add_argument("--runs", type=int, default=3, help="of each series at each size")
    parser.add_argument("--gate", action="store_true", help="status 1 when a cost grows too fast")
    parser.add_argument("--results", type=Path, default=FOLDER / "growth.json", help="where the figures go")
    arguments = parser.parse_args()
    return status_of(lambda: run(arguments))


if __name__ == "__main__":
    sys.exit(main())
