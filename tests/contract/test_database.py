"""The tables of the registry and the quotas: those in memory and those in PostgreSQL pass the same suite."""

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from controller.database.postgres import Postgres
from controller.database.tables import PostgresTables
from controller.errors import StoreRejected, StoreUnavailable
from controller.models.registered import ArtifactKey, Script, now
from controller.models.stored import Held, StoredSession
from controller.registry.writes import (
    artifact_writes,
    function_writes,
    script_writes,
    session_end_writes,
    session_writes,
)
from local.stores.postgres import PostgresServer
from tests.calls import SCRIPT, new_session
from tests.contract.tables import ANY, NAME, PLENTY, Tables, begin, executions, statements, stored, write
from tests.databases import Database


def test_what_was_never_written_is_not_there(tables: Tables, owner: str) -> None:
    assert tables.session(str(uuid.uuid4())) is None
    assert tables.function_targets(NAME, owner) is None
    assert tables.own_content(NAME, owner) is None
    assert tables.script("f" * 64) is None
    assert tables.artifact(ArtifactKey("f" * 64, "rust", "{}")) is None
    assert tables.held_by_user(owner, NAME, PLENTY) == Held(0, 0)


def test_a_session_is_read_as_it_was_written(tables: Tables) -> None:
    session = begin(tables, new_session(params_schema='{"type":"object"}', compile_options={"b": [1]}))
    assert stored(tables, session) == StoredSession(session, 0, 0, None)


def test_a_session_that_is_written_again_is_the_same(tables: Tables) -> None:
    session = begin(tables, new_session())
    write(tables, *executions(session))
    write(tables, *session_writes(replace(session, timeout_ms=7)))
    assert (stored(tables, session).session, stored(tables, session).execution_count) == (session, 1)


def test_executions_count_once_and_apart_what_redis_missed(tables: Tables) -> None:
    session = begin(tables, new_session())
    seen, missed = executions(session), executions(session, counted=False)
    write(tables, *seen, *missed, *executions(session, executed=False))
    write(tables, *seen, *missed)
    found = stored(tables, session)
    assert (found.execution_count, found.uncounted) == (2, 1)
    assert found.last_executed_at is not None
    assert found.last_executed_at >= session.created_at


def test_the_latest_execution_is_told_whatever_comes_later(tables: Tables) -> None:
    session = begin(tables, new_session())
    early, late = executions(session), executions(session)
    write(tables, *late)
    last = stored(tables, session).last_executed_at
    write(tables, *early)
    assert stored(tables, session).last_executed_at == last


def test_executions_and_an_end_that_come_before_their_session_hold(tables: Tables) -> None:
    session = new_session()
    write(tables, *executions(session), *executions(session, counted=False))
    write(tables, *session_end_writes(session, "closed"))
    begin(tables, session)
    found = stored(tables, session)
    assert (found.execution_count, found.uncounted, found.session.status) == (2, 1, "closed")


def test_executions_before_a_session_of_the_same_name_are_not_its_own(tables: Tables) -> None:
    session = new_session()
    write(tables, *executions(session))
    begin(tables, replace(session, created_at=now()))
    assert stored(tables, session).execution_count == 0


def test_the_first_end_of_a_session_counts(tables: Tables) -> None:
    session = begin(tables, new_session())
    assert [tables.end_session(session.request_id, status) for status in ("closed", "deleted")] == [
        True,
        False,
    ]
    assert stored(tables, session).session.status == "closed"
    unknown = str(uuid.uuid4())
    assert [tables.end_session(unknown, "deleted") for _ in range(2)] == [True, False]


def test_expired_sessions_stay_a_day_and_go_in_batches(tables: Tables) -> None:
    while cleaned(tables)[0]:
        pass
    _, active = cleaned(tables)
    old = [begin(tables, new_session(lives=-90_000)) for _ in range(3)]
    kept = [begin(tables, new_session(lives=lives)) for lives in (600, -10)]
    ended = begin(tables, new_session())
    tables.end_session(ended.request_id, "closed")
    assert [cleaned(tables, 2) for _ in range(3)] == [(2, active + 1), (1, active + 1), (0, active + 1)]
    assert [tables.session(one.request_id) for one in old] == [None] * 3
    assert [stored(tables, one).session for one in kept] == kept


def cleaned(tables: Tables, batch: int = 1000) -> tuple[int, int]:
    found = tables.delete_expired_sessions(batch)
    assert found is not None
    return found


def test_a_script_and_its_artifact_are_kept_once(tables: Tables) -> None:
    key = ArtifactKey(SCRIPT.hash, "rust", f'{{"made":"{uuid.uuid4()}"}}')
    write(tables, *script_writes(SCRIPT), *artifact_writes(key, b"\0wasm"))
    write(tables, *script_writes(SCRIPT), *artifact_writes(key, b"another"))
    assert tables.script(SCRIPT.hash) == SCRIPT.content
    assert tables.artifact(key) == b"\0wasm"
    assert tables.artifact(replace(key, language="c")) is None


@pytest.mark.parametrize("end", ["'", "\\", "$r0", "$r0$", "$r0$r1$", "$r0$ $r1$ $r2", "$$", "é\U0001f600"])
def test_a_long_text_is_kept_whatever_it_ends_with(tables: Tables, end: str) -> None:
    script = Script.of(f"{uuid.uuid4()} {end} {'x' * 300}{end}")
    write(tables, *script_writes(script))
    assert tables.script(script.hash) == script.content


@pytest.mark.parametrize(
    "statement",
    [
        ("no_such_query", {}),
        ("put_script", {"script_hash": "x"}),
        ("write_requests", {"rows": '[{"id": "no uuid"}]'}),
        ("write_requests", {"rows": "no json"}),
    ],
)
def test_a_statement_that_is_refused_leaves_nothing_of_its_group(
    tables: Tables, statement: tuple[str, Mapping[str, Any]]
) -> None:
    script = Script.of(f"result = '{uuid.uuid4()}'")
    with pytest.raises(StoreRejected):
        tables.write_together([*statements(script_writes(script)), statement])
    assert tables.script(script.hash) is None


def test_a_row_refers_to_a_script_that_is_there(tables: Tables, owner: str) -> None:
    session = new_session(owner, script_hash=Script.of(f"result = '{uuid.uuid4()}'").hash)
    for records in (
        session_writes(session),
        function_writes(session),
        artifact_writes(session.artifact_key, b"\0wasm"),
    ):
        with pytest.raises(StoreRejected):
            write(tables, *records)
    assert tables.session(session.request_id) is None


def test_one_process_at_a_time_deletes_expired_sessions(postgres_database: Database) -> None:
    postgres = Postgres(postgres_database.url, size=2, timeout=60)
    with postgres.transaction() as holder, holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('clean up sessions'))")
        assert PostgresTables(postgres).delete_expired_sessions(1000) is None
    postgres.close()


def test_postgres_that_is_away_is_said_to_be_away(own_postgres_server: PostgresServer) -> None:
    tables = PostgresTables(Postgres(own_postgres_server.url, size=1, timeout=1))
    own_postgres_server.stop()
    for operation in (
        lambda: tables.write_together(statements(script_writes(SCRIPT))),
        lambda: tables.session("x"),
        lambda: tables.end_session("x", "closed"),
        lambda: tables.delete_expired_sessions(1),
        lambda: tables.function_targets(NAME, "x"),
        lambda: tables.own_content(NAME, "x"),
        lambda: tables.functions("x", ANY, 1, 0),
        lambda: tables.count_functions("x", ANY),
        lambda: tables.delete_function(NAME, "x"),
        lambda: tables.delete_old_versions(1, 1),
        lambda: tables.held_by_user("x", NAME, PLENTY),
        lambda: tables.script("x"),
        lambda: tables.artifact(ArtifactKey("x", "rust", "{}")),
    ):
        with pytest.raises(StoreUnavailable):
            operation()
