"""What users ran and used: the rows in memory and those in PostgreSQL pass the same suite."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from controller.database.history import PostgresHistory
from controller.database.memory import MemoryTables
from controller.database.memory_history import MemoryHistory
from controller.database.postgres import Postgres
from controller.errors import ScriptFailed
from controller.history.history import HistoryRows
from controller.models.history import ExecutionFilter, LoggedExecution, Place, UsageQuery
from controller.models.registered import LanguageTitle
from controller.request_log.rows import ordered_id
from controller.request_log.writes import Write
from tests.calls import call
from tests.contract.tables import write

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
HELLO, OTHER = LanguageTitle("python", "hello"), LanguageTitle("python", "other")
ALL = ExecutionFilter()
USED = json.dumps({"cpu_time": 2.5, "bytes_in": 10, "bytes_out": 20})


class Log(NamedTuple):
    """One user's part of the log."""

    tables: Any
    history: HistoryRows
    owner: str

    def put(self, *, at: datetime = MOMENT, row: dict[str, Any] | None = None, **known: Any) -> str:
        """Write the row of an execution. Return its id."""
        (written, *_) = call(**dict[str, Any](user_id=self.owner) | known).rows(duration_ms=1.5)
        document = json.loads(written.row or "") | {"id": ordered_id(), "created_at": at.isoformat()}
        write(self.tables, Write("write_requests", row=json.dumps(document | (row or {}))))
        return str(document["http_request_id"])

    def page(
        self, chosen: ExecutionFilter = ALL, after: Place | None = None, per_page: int = 20
    ) -> list[str]:
        return names(self.history.executions(self.owner, chosen, after, per_page).rows)


def names(rows: Any) -> list[str]:
    return [row.http_request_id for row in rows]


@pytest.fixture
def log(postgres: Postgres | None, owner: str) -> Log:
    if postgres is None:
        tables = MemoryTables()
        return Log(tables, MemoryHistory(tables), owner)
    return Log(postgres, PostgresHistory(postgres), owner)


def test_a_row_is_read_as_it_was_written(log: Log) -> None:
    failed = ScriptFailed("bad", details={"line": 2})
    log.put(name=HELLO, session_id="s", version=3, error=failed, payload={"params": {"text": "\0\ud800"}})
    (row,) = log.history.executions(log.owner, ALL, None, 20).rows
    assert isinstance(row, LoggedExecution)
    assert (row.place.created_at, row.session_id, row.name, row.version) == (MOMENT, "s", HELLO, 3)
    assert (row.status_code, row.error_code, row.cached, row.duration_ms) == (
        500,
        "RUNTIME_ERROR",
        False,
        1.5,
    )
    assert (row.execution_time_ms, row.runtime_metrics) == (None, None)
    assert json.loads(row.request_payload) == {"params": {"text": "\0\ud800"}}
    assert json.loads(row.response_data)["error"]["details"] == {"line": 2}
    log.put(name=None, session_id=None, at=MOMENT + timedelta(seconds=1))
    (unknown, _) = log.history.executions(log.owner, ALL, None, 20).rows
    log.put(at=MOMENT + timedelta(seconds=2), row={"execution_time_ms": 0.5, "runtime_metrics": USED})
    (ran, *_) = log.history.executions(log.owner, ALL, None, 20).rows
    assert (ran.execution_time_ms, ran.runtime_metrics) == (0.5, USED)
    assert (unknown.name, unknown.session_id, unknown.version, unknown.error_code) == (None, None, None, None)


@pytest.mark.covers("history: pages of executions have each once")
def test_pages_have_own_executions_once_and_the_newest_first(log: Log) -> None:
    # Three at each moment: the id decides between them.
    made = [log.put(at=MOMENT + timedelta(seconds=number // 3)) for number in range(9)]
    log.put(user_id="another")
    log.put(row={"endpoint": "initialize"})
    found, after = [], None
    for _ in range(3):
        page = log.history.executions(log.owner, ALL, after, 4)
        found += names(page.rows)
        after = page.after
    assert after is None
    assert found == made[::-1]


def test_each_filter_leaves_out_the_others(log: Log) -> None:
    plain = log.put(at=MOMENT)
    first = log.put(at=MOMENT + timedelta(seconds=1), version=1)
    second = log.put(at=MOMENT + timedelta(seconds=2), version=2, error=ScriptFailed("bad"))
    other = log.put(at=MOMENT + timedelta(seconds=3), name=OTHER, version=1)
    assert log.page(ExecutionFilter(HELLO)) == [second, first, plain]
    assert log.page(ExecutionFilter(HELLO, versions=[1])) == [first]
    assert log.page(ExecutionFilter(HELLO, versions=[2, 1])) == [second, first]
    assert log.page(ExecutionFilter(HELLO, versions=[])) == []
    assert log.page(ExecutionFilter(status="error")) == [second]
    assert log.page(ExecutionFilter(status="ok")) == [other, first, plain]
    assert log.page(ExecutionFilter(since=MOMENT + timedelta(seconds=2))) == [other, second]


@pytest.mark.parametrize("postgres", ["postgres"], indirect=True)
def test_a_filter_looks_at_a_bounded_number_of_rows(log: Log, postgres: Postgres) -> None:
    made = [
        log.put(at=MOMENT + timedelta(seconds=number), name=OTHER if number % 5 else HELLO)
        for number in range(12)
    ]
    history = PostgresHistory(postgres, scanned=4)
    found, after, pages = [], None, 0
    while pages == 0 or after is not None:
        page = history.executions(log.owner, ExecutionFilter(HELLO), after, 2)
        found += names(page.rows)
        after, pages = page.after, pages + 1
    assert found == [made[10], made[5], made[0]]
    # The place after the last row leads to an empty page.
    assert pages == 4


@pytest.mark.parametrize("postgres", ["postgres"], indirect=True)
def test_a_page_ends_early_when_its_documents_are_long(log: Log, postgres: Postgres) -> None:
    made = [
        log.put(at=MOMENT + timedelta(seconds=number), payload={"params": {"text": "x" * 700}})
        for number in range(5)
    ]
    history = PostgresHistory(postgres, most_bytes=1600)
    first = history.executions(log.owner, ALL, None, 20)
    assert names(first.rows) == [made[4], made[3]]
    second = history.executions(log.owner, ALL, first.after, 20)
    assert names(second.rows) == [made[2], made[1]]
    last = history.executions(log.owner, ALL, second.after, 20)
    assert (names(last.rows), last.after) == ([made[0]], None)
    # A row that is longer than all may be is shown alone.
    tight = PostgresHistory(postgres, most_bytes=100).executions(log.owner, ALL, None, 20)
    assert names(tight.rows) == [made[4]]


def test_figures_of_an_hour_and_of_a_day(log: Log) -> None:
    used = {"runtime_metrics": USED}
    for minutes in (5, 59, 60):
        log.put(at=MOMENT + timedelta(minutes=minutes), row=used)
    log.put(at=MOMENT + timedelta(minutes=61), cached=True, row=used)
    log.put(at=MOMENT + timedelta(minutes=62), error=ScriptFailed("bad"), row=used)
    log.put(at=MOMENT + timedelta(hours=12), row=used)
    log.put(at=MOMENT, user_id="another")
    log.put(at=MOMENT, row={"endpoint": "initialize"})
    day = MOMENT.replace(hour=0)
    hour = MOMENT + timedelta(hours=1)
    asked = UsageQuery("hour", MOMENT, MOMENT + timedelta(hours=2))
    assert [tuple(row) for row in log.history.usage(log.owner, asked)] == [
        (MOMENT, "", 2, 0, 3.0, 5.0, 20, 40),
        (hour, "", 2, 1, 3.0, 2.5, 10, 20),
        (hour, "RUNTIME_ERROR", 1, 0, 1.5, 2.5, 10, 20),
    ]
    daily = log.history.usage(log.owner, UsageQuery("day", day, day + timedelta(days=2)))
    assert [(row.starts_at, row.error_code, row.executions) for row in daily] == [
        (day, "", 4),
        (day, "RUNTIME_ERROR", 1),
        (day + timedelta(days=1), "", 1),
    ]
