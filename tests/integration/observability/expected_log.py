"""What the panels that ask PostgreSQL have to show after the load: by title, of all functions together."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.observability.load import LONG
from tests.integration.observability.seen import Seen

Row = dict[str, Any]
RowsCheck = Callable[[list[Row], Seen], None]
MEBIBYTE = 1 << 20


def logged(seen: Seen, *endpoints: str) -> Counter[str]:
    """Calls that came so far that their function was known, by their code."""
    counted: Counter[str] = Counter()
    for (endpoint, language, code), number in seen.ledger.requests.items():
        if endpoint in (endpoints or ("initialize", "execute")) and language != "none":
            counted[code] += number
    return counted


def figure(expected: Callable[[Seen], float]) -> RowsCheck:
    """One row of one column."""

    def check(rows: list[Row], seen: Seen) -> None:
        ((value,),) = (row.values() for row in rows)
        assert float(value) == pytest.approx(expected(seen))

    return check


def bounded(low: float, high: float) -> RowsCheck:
    """Every number of every row lies between the two."""

    def check(rows: list[Row], seen: Seen) -> None:
        numbers = [
            value for row in rows for name, value in row.items() if name != "time" and value is not None
        ]
        assert numbers and all(low <= value <= high for value in numbers), numbers

    return check


def part_failed(seen: Seen) -> float:
    calls = logged(seen)
    failed = sum(calls[code] for code in ("runtime_error", "timeout", "runtime_unavailable"))
    return failed / calls.total()


def part_kept(seen: Seen) -> float:
    lookups = seen.ledger.lookups
    return (lookups["hit"] + lookups["coalesced"]) / logged(seen, "execute").total()


def part_cold(seen: Seen) -> float:
    return sum(n for (_, start), n in seen.starts.items() if start == "cold") / seen.starts.total()


def by_outcome(rows: list[Row], seen: Seen) -> None:
    counted: Counter[str] = Counter()
    for row in rows:
        counted[row["metric"]] += row["calls"]
    assert counted == logged(seen)


def latest_errors(rows: list[Row], seen: Seen) -> None:
    failed = logged(seen)
    del failed["ok"]
    assert Counter(row["error_code"].lower() for row in rows) == failed
    assert {"crashed", "exception", "memory_limit"} <= {row["kind"] for row in rows}


def slowest(rows: list[Row], seen: Seen) -> None:
    durations = [row["duration_ms"] for row in rows]
    assert durations == sorted(durations, reverse=True)
    waited = max(seen.ledger.seconds["execute"] + seen.ledger.seconds["initialize"])
    assert LONG * 1000 <= durations[0] <= waited * 1000


def scripts(rows: list[Row], seen: Seen) -> None:
    known = sum(row["calls"] for row in rows if row["script_hash"] is not None)
    assert len(rows) > 5
    assert known <= logged(seen).total() == sum(row["calls"] for row in rows)


def sizes(rows: list[Row], _: Seen) -> None:
    found = {row["log"]: row["bytes"] for row in rows}
    assert found.keys() == {"error_logs", "request_logs"}
    assert all(8192 <= size < 64 * MEBIBYTE for size in found.values())


LOG: dict[str, RowsCheck] = {
    "Calls": figure(lambda seen: logged(seen).total()),
    "Calls that ended with 5xx": figure(part_failed),
    "Users": figure(lambda _: 1),
    "Time of a run, 95th percentile": bounded(LONG * 500, LONG * 2000),
    "Executions answered without a run": figure(part_kept),
    "Runs that had to load the script": figure(part_cold),
    "Calls by outcome": by_outcome,
    "Time of a call and of a run": bounded(0.01, LONG * 10_000),
    "Memory of a run, mean and maximum": bounded(MEBIBYTE / 4, 2048 * MEBIBYTE),
    "Processor time of a run, mean and maximum": bounded(0, LONG * 10_000),
    "Latest errors": latest_errors,
    "Slowest calls": slowest,
    "Scripts that ran under this name": scripts,
    "Size of the log": sizes,
}
