"""The table that `make bench` prints."""

from collections.abc import Iterable, Iterator
from statistics import median
from typing import NamedTuple

from bench.measurement import Figures


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
