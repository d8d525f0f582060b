"""DatabaseLogger on a real PostgreSQL: every record once, whatever happens to it, with a spool and without."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Raw
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from controller.database.postgres import Postgres
from controller.errors import ScriptFailed, StoreUnavailable
from controller.models.outcome import Run
from controller.observability.metrics import MetricsCollector
from controller.registry.writes import (
    artifact_writes,
    function_writes,
    script_writes,
    session_end_writes,
    session_writes,
)
from controller.request_log.logger import DatabaseLogger
from controller.request_log.spool import Spool
from controller.request_log.writes import Write, decode, encode
from local.stores.postgres import PostgresServer
from local.stores.redis import RedisServer
from tests.calls import SCRIPT, call, execution, new_session
from tests.databases import Database
from tests.integration.controller.parts import Parts
from tests.waiting import until_greenlets

RESULT = '{"text": "\\u0000\\ud800", "n": 1180591620717411303424}'


def rows(postgres: Postgres, table: str, http_request_id: str) -> list[dict[str, object]]:
    with postgres.transaction() as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} WHERE http_request_id = %s", (http_request_id,))
        return [dict(row) for row in cursor.fetchall()]


@pytest.fixture
def started(own_postgres_server: PostgresServer) -> Iterator[DatabaseLogger]:
    """A logger without a spool, on a server of the test's own."""
    logger = DatabaseLogger(
        Postgres(own_postgres_server.url, 2, 5), 1000, MetricsCollector(CollectorRegistry())
    )
    logger.start()
    yield logger
    logger.close(timeout=1)


def test_a_run_has_one_row_with_all_that_is_known(parts: Parts) -> None:
    run = Run(Raw(RESULT.encode()), 1.5, usage={"cpu_time": 1.0, "cold": True})
    written = call(run=run, script_hash="0" * 64)
    parts.logger.record(*written.rows(2.5))
    parts.logger.flush()
    (row,) = rows(parts.postgres, "request_logs", written.ids.http_request_id)
    assert row["request_payload"] == {"params": {"a": 1}}
    assert row["response_data"] == json.loads(RESULT)
    assert (row["status"], row["status_code"], row["error_code"], row["cached"]) == ("ok", 200, None, False)
    assert (row["duration_ms"], row["execution_time_ms"], row["user_id"]) == (2.5, 1.5, "alice")
    assert row["runtime_metrics"] == {"cpu_time": 1.0, "cold": True}
    assert rows(parts.postgres, "error_logs", written.ids.http_request_id) == []


def test_a_failure_is_in_both_logs(parts: Parts) -> None:
    error = ScriptFailed("bad \0 \ud800", details={"kind": "exception", "stdout": "\0"})
    written = call(error=error)
    parts.logger.record(*written.rows(2.5))
    parts.logger.flush()
    (request,) = rows(parts.postgres, "request_logs", written.ids.http_request_id)
    (failure,) = rows(parts.postgres, "error_logs", written.ids.http_request_id)
    assert (request["status"], request["status_code"], request["error_code"]) == (
        "error",
        500,
        "RUNTIME_ERROR",
    )
    assert failure["message"] == "bad \N{REPLACEMENT CHARACTER} ?"
    assert failure["details"] == {"kind": "exception", "stdout": "\0"}


def test_many_batches_are_all_written(parts: Parts) -> None:
    session = parts.begin(new_session())
    records = [record for _ in range(400) for record in execution(session)]
    parts.logger.record(*records)
    parts.logger.record(*[record for _ in range(300) for record in execution(session)])
    parts.logger.flush()
    assert parts.postgres.query("session", request_id=session.request_id)["execution_count"] == 700


def test_a_record_that_is_refused_takes_no_other_along(parts: Parts) -> None:
    before, together, after = call(), call(), call()
    bad = Write("write_requests", row=json.dumps({"id": "no uuid"}))
    parts.logger.record(*before.rows(2.5))
    parts.logger.record(*together.rows(2.5), bad)
    parts.logger.record(*after.rows(2.5))
    parts.logger.flush()
    for written in (before, together, after):
        assert len(rows(parts.postgres, "request_logs", written.ids.http_request_id)) == 1


def test_a_full_queue_drops_and_counts(postgres_database: Database, redis_server: RedisServer) -> None:
    registry = CollectorRegistry()
    logger = DatabaseLogger(Postgres(postgres_database.url, 2, 5), 2, MetricsCollector(registry))
    for _ in range(3):
        logger.record(*call().rows(2.5))
    assert registry.get_sample_value("lambda_log_records_lost_total") == 1


def test_what_was_logged_while_postgres_was_away_is_there_afterwards(
    started: DatabaseLogger, own_postgres_server: PostgresServer
) -> None:
    postgres = Postgres(own_postgres_server.url, 1, 5)
    entries = [call() for _ in range(5)]
    started.record(*entries[0].rows(2.5))
    own_postgres_server.stop()
    for written in entries[1:]:
        started.record(*written.rows(2.5))
    own_postgres_server.start()
    until_greenlets(
        lambda: bool(rows(postgres, "request_logs", entries[-1].ids.http_request_id)), "they are written"
    )
    found = [len(rows(postgres, "request_logs", written.ids.http_request_id)) for written in entries]
    assert found == [1] * 5


class Spooling:
    """A logger with a spool that has not started to write by itself."""

    def __init__(self, url: str, folder: Path, queue: int = 1000, spool_bytes: int = 1 << 30) -> None:
        self.registry = CollectorRegistry()
        metrics = MetricsCollector(self.registry)
        self.postgres = Postgres(url, 2, 2)
        self.folder = folder
        self.spool = Spool(folder, spool_bytes, metrics)
        self.logger = DatabaseLogger(self.postgres, queue, metrics, self.spool)

    def lost(self) -> float | None:
        return self.registry.get_sample_value("lambda_log_records_lost_total")

    def queued(self) -> float | None:
        return self.registry.get_sample_value("lambda_log_queue_records")

    def kept(self) -> bool:
        return any(self.folder.rglob("*.spool"))


@pytest.fixture
def spooling(own_postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Spooling]:
    made = Spooling(own_postgres_server.url, tmp_path)
    yield made
    made.logger.close(1)


def test_the_queue_moves_to_disk_while_postgres_is_away_and_comes_back(
    spooling: Spooling, own_postgres_server: PostgresServer
) -> None:
    own_postgres_server.stop()
    spooling.logger.start()
    entries = [call() for _ in range(5)]
    for written in entries:
        spooling.logger.record(*written.rows(2.5))
    until_greenlets(spooling.kept, "records are on disk")
    until_greenlets(lambda: spooling.queued() == 0, "none is in memory alone")
    own_postgres_server.start()
    until_greenlets(lambda: not spooling.kept(), "all is replayed")
    for written in entries:
        assert len(rows(spooling.postgres, "request_logs", written.ids.http_request_id)) == 1


def test_what_is_refused_or_unreadable_holds_up_nothing(
    spooling: Spooling, own_postgres_server: PostgresServer
) -> None:
    good = call()
    bad = (Write("write_requests", row='{"id": "no uuid"}'),)
    unknown = (Write("no_such_query"), Write("put_script", {"script_hash": "x"}))
    spooling.spool.append([b"no json", b'"no unit"', encode(bad), encode(unknown)])
    spooling.spool.append([encode(tuple(good.rows(2.5)))])
    spooling.logger.start()
    until_greenlets(lambda: not spooling.kept(), "all is replayed")
    assert len(rows(spooling.postgres, "request_logs", good.ids.http_request_id)) == 1
    assert spooling.lost() == 5


def test_with_the_spool_full_records_wait_in_memory_and_then_are_dropped_and_counted(
    own_postgres_server: PostgresServer, tmp_path: Path
) -> None:
    room = 2.5 * len(encode(tuple(call(payload={"x": "x" * 900}).rows(2.5))))
    spooling = Spooling(own_postgres_server.url, tmp_path, queue=3, spool_bytes=round(room))
    own_postgres_server.stop()
    spooling.logger.start()
    entries = [call(payload={"x": "x" * 900}) for _ in range(2)]
    for written in entries:
        spooling.logger.record(*written.rows(2.5))
    until_greenlets(lambda: spooling.queued() == 0, "records are on disk")
    for written in (more := [call(payload={"x": "x" * 900}) for _ in range(5)]):
        spooling.logger.record(*written.rows(2.5))
    assert spooling.lost() == 2
    own_postgres_server.start()
    until_greenlets(lambda: not spooling.kept(), "all is replayed")
    spooling.logger.close(5)
    postgres = Postgres(own_postgres_server.url, 1, 5)
    found = [len(rows(postgres, "request_logs", e.ids.http_request_id)) for e in (*entries, *more)]
    assert found == [1] * 5 + [0] * 2


def test_the_end_puts_on_disk_what_cannot_be_written(
    own_postgres_server: PostgresServer, tmp_path: Path
) -> None:
    spooling = Spooling(own_postgres_server.url, tmp_path)
    own_postgres_server.stop()
    written = call()
    spooling.logger.record(*written.rows(2.5))
    spooling.logger.close(1)
    assert spooling.kept()
    own_postgres_server.start()
    again = Spooling(own_postgres_server.url, tmp_path)
    again.logger.start()
    until_greenlets(lambda: not again.kept(), "all is replayed")
    again.logger.close(1)
    assert len(rows(spooling.postgres, "request_logs", written.ids.http_request_id)) == 1


def test_fresh_records_need_not_wait_for_old_ones(
    spooling: Spooling, own_postgres_server: PostgresServer
) -> None:
    old = [encode(tuple(call().rows(2.5))) for _ in range(3000)]
    spooling.spool.append(old)
    fresh = call()
    spooling.logger.record(*fresh.rows(2.5))
    spooling.logger.start()
    until_greenlets(
        lambda: bool(rows(spooling.postgres, "request_logs", fresh.ids.http_request_id)), "it is written"
    )
    assert spooling.kept()


def test_every_kind_of_record_survives_its_file() -> None:
    session = new_session()
    unit = (
        *script_writes(SCRIPT),
        *artifact_writes(session.artifact_key, b"\0wasm"),
        *function_writes(session),
        *session_writes(session),
        *session_end_writes(session, "closed"),
        *execution(session),
    )
    assert decode(encode(unit)) == unit


def test_flushing_without_postgres_says_so_and_loses_nothing(
    spooling: Spooling, own_postgres_server: PostgresServer
) -> None:
    written = call()
    own_postgres_server.stop()
    spooling.logger.record(*written.rows(2.5))
    with pytest.raises(StoreUnavailable):
        spooling.logger.flush()
    own_postgres_server.start()
    spooling.logger.flush()
    assert len(rows(spooling.postgres, "request_logs", written.ids.http_request_id)) == 1


def test_nothing_secret_is_written(parts: Parts) -> None:
    ids = replace(call().ids, call_id="Bearer hunter2")
    error = StoreUnavailable("password=hunter2", details={"stdout": "token: hunter2", "api-key": "hunter2"})
    written = call(
        ids=ids, error=error, payload={"params": [{"password": "hunter2", "url": "x://u:hunter2@h"}]}
    )
    parts.logger.record(*written.rows(2.5))
    parts.logger.flush()
    for table in ("request_logs", "error_logs"):
        (row,) = rows(parts.postgres, table, ids.http_request_id)
        assert "hunter2" not in str(row)
        assert "***" in str(row)
