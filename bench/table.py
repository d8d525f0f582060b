"""The table that `make bench` prints."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median

from bench.gates import verdicts
from bench.measurement import Figures


@dataclass(frozen=True)
class Column:
    """A figure, how its column is called, how wide it is, and how many digits come after the point."""

    figure: str
    head: str
    width: int = 7
    digits: int = 0


COLUMNS = (
    Column("rps", "rps", 8),
    Column("p50", "p50", 8, 2),
    Column("p95", "p95", 8, 2),
    Column("p99", "p99", 8, 2),
    Column("errors", "errors"),
    Column("cpu controller", "contr", 8),
    Column("cpu front", "front", 8),
    Column("cpu workers", "work", 8),
    Column("cpu redis", "redis", 6),
    Column("cpu postgres", "pg", 6),
    Column("cpu all", "all", 8),
    Column("own ms", "own ms", 8, 2),
    Column("x yardstick", "x yard", 7, 2),
    Column("x constant", "x const", 8, 2),
    Column("peak controller", "peak", 6),
    Column("pss controller", "contr", 6),
    Column("pss front", "front", 6),
    Column("pss workers", "work", 6),
    Column("pss redis", "redis", 6),
    Column("pss postgres", "pg", 6),
)
NAME_WIDTH = 24
GROUPS = (
    ("latency, ms", "p50", "p99"),
    ("CPU, us a request", "cpu controller", "cpu all"),
    ("memory, MiB (PSS)", "pss controller", "pss postgres"),
)
LEGEND = """\
Medians. A microsecond of CPU a request is a millisecond per 1,000 requests. front: the runtimes' HTTP processes;
work: their fork servers and workers; own ms: the controller's mean time for an execution without the runtime's;
x yard, x const: throughput over that of Flask on waitress with the same function, and of Flask on gunicorn with a
constant; peak: the most memory that the controller's processes ever had resident, MiB."""


def table(
    titles: Mapping[str, str], results: Mapping[str, Figures], *, targets: bool = True
) -> Iterator[str]:
    """All lines: the medians of each scenario, and what became of the targets unless they are not wanted."""
    yield from _heads()
    for name, figures in results.items():
        yield (
            name.ljust(NAME_WIDTH)
            + "".join(_cell(column, figures) for column in COLUMNS)
            + f"  {titles[name]}"
        )
    yield ""
    yield LEGEND
    if targets and (lines := [verdict.text for verdict in verdicts(results)]):
        yield from ("", *lines)


def _heads() -> Iterable[str]:
    upper = " " * NAME_WIDTH
    ends = {last: (title, first) for title, first, last in GROUPS}
    names = [column.figure for column in COLUMNS]
    place = NAME_WIDTH
    for column in COLUMNS:
        place += column.width
        if column.figure in ends:
            title, first = ends[column.figure]
            start = place - sum(
                each.width for each in COLUMNS[names.index(first) : names.index(column.figure) + 1]
            )
            upper = (
                upper.ljust(start)
                + f" {title} ".center(place - start, "-").replace("-", " -", 1)[: place - start]
            )
    lower = "scenario".ljust(NAME_WIDTH) + "".join(column.head.rjust(column.width) for column in COLUMNS)
    return upper, lower


def _cell(column: Column, figures: Figures) -> str:
    values = figures.get(column.figure)
    text = f"{median(values):.{column.digits}f}" if values else ""
    return text.rjust(column.width)
