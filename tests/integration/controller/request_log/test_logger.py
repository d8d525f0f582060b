"""DatabaseLogger on a real PostgreSQL: every record once, whatever happens to the server."""

import json
from collections.abc import Iterator

import gevent
import pytest
from msgspec import Raw
from prometheus_client import CollectorRegistry

from controller.database.postgres import Postgres
from controller.errors import ScriptFailed
from controller.models.outcome import Run
from controller.observability.metrics import MetricsCollector
from controller.request_log.logger import DatabaseLogger
from controller.request_log.writes import Write
from local.stores.postgres import PostgresServer
from local.stores.redis import RedisServer
from tests.calls import call, execution, new_session
from tests.databases import Database
from tests.integration.controller.parts import Parts

RESULT = '{"text": "\\u0000\\ud800", "n": 1180591620717411303424}'


def rows(postgres: Postgres, table: str, http_request_id: str) -> list[dict[str, object]]:
    with postgres.transaction() as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} WHERE http_request_id = %s", (http_request_id,))
        return [dict(row) for row in cursor.fetchall()]


@pytest.fixture
def started(own_postgres_server: PostgresServer) -> Iterator[DatabaseLogger]:
    """A logger that writes by itself, on a server of the test's own."""
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


def test_writing_again_writes_once_and_counts_once(parts: Parts) -> None:
    session = parts.begin(new_session())
    again = execution(session)
    for _ in range(2):
        parts.logger.record(*again)
        parts.logger.flush()
    row = parts.postgres.query("session", request_id=session.request_id)
    assert row["execution_count"] == 1


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


def test_the_writer_writes_by_itself(started: DatabaseLogger, own_postgres_server: PostgresServer) -> None:
    written = call()
    started.record(*written.rows(2.5))
    postgres = Postgres(own_postgres_server.url, 1, 5)
    with gevent.Timeout(60):
        while not rows(postgres, "request_logs", written.ids.http_request_id):
            gevent.sleep(0.05)
    assert len(rows(postgres, "request_logs", written.ids.http_request_id)) == 1


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
    with gevent.Timeout(60):
        while not rows(postgres, "request_logs", entries[-1].ids.http_request_id):
            gevent.sleep(0.05)
    found = [len(rows(postgres, "request_logs", written.ids.http_request_id)) for written in entries]
    assert found == [1] * 5


def test_the_last_records_are_written_at_the_end(own_postgres_server: PostgresServer) -> None:
    postgres = Postgres(own_postgres_server.url, 2, 5)
    logger = DatabaseLogger(postgres, 100, MetricsCollector(CollectorRegistry()))
    logger.start()
    written = call()
    logger.record(*written.rows(2.5))
    logger.close(timeout=5)
    assert len(rows(postgres, "request_logs", written.ids.http_request_id)) == 1
