"""The table that `make bench` prints, the targets of the service, and how far a measurement is from them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from bench.measurement import Figures

EXECUTIONS = ("cached", "warm-python", "warm-nodejs", "warm-rust")


class Verdict(NamedTuple):
    """Whether a target was reached. The text is one line: the target, the value, and the factor of a miss."""

    gate: "Gate"
    value: float
    reached: bool
    text: str


@dataclass(frozen=True)
class Gate:
    """A target: the median of a scenario's figure is at most `bound`, or with `least` at least."""

    scenario: str
    figure: str
    bound: float
    least: bool = False

    def verdict(self, figures: Figures) -> Verdict:
        value = median(figures[self.figure])
        reached = value >= self.bound if self.least else value <= self.bound
        text = f"{self.scenario}: {self.figure} {'>=' if self.least else '<='} {self.bound:g}: {value:.4g}"
        worse, better = (self.bound, value) if self.least else (value, self.bound)
        if not reached and better:
            text += f", by a factor of {worse / better:.2f}"
        return Verdict(self, value, reached, f"{'reached ' if reached else 'MISSED  '} {text}")


GATES = (
    Gate("cached", "x yardstick", 2.6, least=True),
    Gate("cached", "cpu controller", 175),
    Gate("cached", "p99", 18),
    Gate("warm-python", "x yardstick", 1.1, least=True),
    Gate("warm-python", "cpu all", 750),
    Gate("warm-nodejs", "x yardstick", 1, least=True),
    Gate("warm-rust", "x yardstick", 0.9, least=True),
    Gate("initialize-known-python", "cpu all", 3_000),
    Gate("initialize-new-python", "cpu all", 12_000),
    Gate("initialize-new-nodejs", "cpu all", 60_000),
    Gate("fresh-nodejs", "cpu all", 45_000),
    Gate("one-mib", "cpu all", 12_000),
    Gate("at-rest", "pss all", 220),
    Gate("at-rest", "pss controller", 60),
    *(Gate(scenario, "own ms", 10) for scenario in EXECUTIONS),
    *(Gate(f"half-{scenario}", "own ms", 2) for scenario in EXECUTIONS),
    *(Gate(f"half-{scenario}", "p99 / p50", 3) for scenario in EXECUTIONS),
    Gate("fairness-cached", "slowest share", 0.5, least=True),
    Gate("fairness-warm", "slowest share", 0.5, least=True),
    Gate("connections", "errors", 0),
    Gate("connections", "pss controller", 256),
    Gate("connections", "idle cpu %", 1),
    Gate("connections", "busy cpu %", 30),
    *(Gate(f"rotation-{language}", "errors", 0) for language in ("python", "nodejs", "rust")),
    *(Gate(f"rotation-{language}", "p95 / warm p50", 10) for language in ("python", "rust")),
)


def verdicts(results: Mapping[str, Figures]) -> Iterator[Verdict]:
    """The verdict on each target with a measured figure."""
    for gate in GATES:
        if gate.figure in results.get(gate.scenario, {}):
            yield gate.verdict(results[gate.scenario])


class Column(NamedTuple):
    """A figure, the head of its column, its width, the digits after the point, and a title that begins above it."""

    figure: str
    head: str
    width: int = 7
    digits: int = 0
    group: str = ""


PARTS = {"front": "front", "workers": "work", "redis": "redis", "postgres": "pg"}
COLUMNS = (
    Column("rps", "rps", 8),
    Column("p50", "p50", 8, 2, "latency, ms"),
    Column("p95", "p95", 8, 2),
    Column("p99", "p99", 8, 2),
    Column("errors", "errors"),
    Column("cpu controller", "contr", 8, group="CPU, us a request"),
    *(Column(f"cpu {part}", head) for part, head in PARTS.items()),
    Column("cpu all", "all", 8),
    Column("own ms", "own ms", 8, 2),
    Column("x yardstick", "x yard", 7, 2),
    Column("x constant", "x const", 8, 2),
    Column("peak controller", "peak", 6),
    Column("pss controller", "contr", 6, group="memory, MiB (PSS)"),
    *(Column(f"pss {part}", head, 6) for part, head in PARTS.items()),
    Column("pss all", "all", 6),
)
NAME_WIDTH = 24
LEGEND = """\
Medians. front: the runtimes' HTTP processes; work: their fork servers and workers; own ms: the controller's mean time
for an execution, without the runtime's; x yard, x const: throughput over that of Flask on waitress with the same
function, and of Flask on gunicorn with a constant; peak: the controller's largest resident size, MiB."""


def table(rows: Iterable[tuple[str, str, Figures]]) -> Iterator[str]:
    """The medians of each row, which has a name, a title and figures."""
    yield from _heads()
    for name, title, figures in rows:
        yield name.ljust(NAME_WIDTH) + "".join(_cell(column, figures) for column in COLUMNS) + f"  {title}"


def _heads() -> tuple[str, str]:
    upper, lower = "", "scenario".ljust(NAME_WIDTH)
    for column in COLUMNS:
        if column.group:
            upper = f"{upper.ljust(len(lower))}  {column.group}"
        lower += column.head.rjust(column.width)
    return upper, lower


def _cell(column: Column, figures: Figures) -> str:
    values = figures.get(column.figure)
    text = f"{median(values):.{column.digits}f}" if values else ""
    return text.rjust(column.width)
