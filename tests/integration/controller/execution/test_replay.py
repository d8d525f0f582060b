"""Replay: records of an outage, in whatever order processes come to write them, leave what one order would."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from controller.database.postgres import Postgres
from controller.errors import StoreUnavailable
from controller.models.registered import LanguageTitle, Script, Session, now
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
from tests.calls import SCRIPT, call, execution, new_session
from tests.integration.controller.parts import Parts
from tests.integration.controller.request_log.test_logger import rows
from tests.waiting import until_greenlets


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


def whole(session: Session) -> list[Write]:
    return [
        *script_writes(SCRIPT),
        *artifact_writes(session.artifact_key, b"\0wasm"),
        *function_writes(session),
        *session_writes(session),
    ]


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
    unit = (*whole(new_session()), *session_end_writes(new_session(), "closed"), *execution(new_session()))
    assert decode(encode(unit)) == unit


def test_a_unit_may_be_written_again(parts: Parts) -> None:
    session = new_session("again")
    executions = [execution(session) for _ in range(3)]
    for _ in range(2):
        parts.logger.record(*whole(session))
        for records in executions:
            parts.logger.record(*records)
        parts.logger.flush()
    row = parts.postgres.query("session", request_id=session.request_id)
    assert (row["execution_count"], row["status"]) == (3, "active")
    function = parts.postgres.query("function_targets", language="python", title="hello", owner="again")
    assert function["version"] == 1
    artifact = parts.postgres.query(
        "artifact", script_hash=SCRIPT.hash, language="python", compile_options="{}"
    )
    assert bytes(artifact) == b"\0wasm"


def test_a_session_that_comes_after_its_executions_and_its_end(parts: Parts, other_parts: Parts) -> None:
    session = new_session()
    for _ in range(3):
        other_parts.logger.record(*execution(session))
    other_parts.logger.record(*session_end_writes(session, "closed"))
    other_parts.logger.flush()
    parts.logger.record(*whole(session))
    parts.logger.flush()
    row = parts.postgres.query("session", request_id=session.request_id)
    assert (row["execution_count"], row["status"]) == (3, "closed")
    assert row["last_executed_at"] >= session.created_at
    parts.logger.record(*execution(session))
    parts.logger.flush()
    assert parts.postgres.query("session", request_id=session.request_id)["execution_count"] == 4


def test_the_first_end_counts(parts: Parts) -> None:
    session = parts.begin(new_session())
    for status in ("closed", "deleted"):
        parts.logger.record(*session_end_writes(session, status))
        parts.logger.flush()
    assert parts.postgres.query("session", request_id=session.request_id)["status"] == "closed"


def test_an_old_registration_does_not_replace_a_newer_one(parts: Parts) -> None:
    name, owner = LanguageTitle("python", "replaced"), str(uuid.uuid4())

    def register(script: Script, age: int) -> None:
        made = now() - timedelta(seconds=age)
        session = new_session(owner, name=name, script_hash=script.hash, created_at=made)
        parts.logger.record(*script_writes(script), *function_writes(session))
        parts.logger.flush()

    def registered() -> tuple[Any, ...]:
        named = {"language": name.language, "title": name.title, "owner": owner}
        targets = parts.postgres.query("function_targets", **named)
        return parts.postgres.query("own_content", **named)["script_hash"], targets["version"]

    old, new, newest = (Script.of(f"result = {number}") for number in range(3))
    register(new, 60)
    register(old, 120)
    assert registered() == (new.hash, 1)
    register(newest, 1)
    assert registered() == (newest.hash, 2)
    # Two controllers' clocks need not agree to the second.
    register(new, 2)
    assert registered() == (new.hash, 3)


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
