"""The tables of the registry and the quotas: those in memory and those in PostgreSQL pass the same suite."""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import pytest

from controller.database.memory import MemoryTables
from controller.database.postgres import Postgres
from controller.database.tables import PostgresTables
from controller.errors import StoreRejected, StoreUnavailable
from controller.limits.quotas import HeldByUser
from controller.models.registered import ArtifactKey, LanguageTitle, Script, Session, now
from controller.models.stored import FunctionFilter, Held, StoredFunction, StoredSession
from controller.registry.functions import FunctionRows
from controller.registry.scripts import ScriptRows
from controller.registry.sessions import SessionRows
from controller.registry.writes import (
    artifact_records,
    function_records,
    script_records,
    session_end_records,
    session_records,
)
from controller.request_log.rows import ordered_id
from controller.request_log.writes import Record
from local.stores.postgres import PostgresServer
from tests.calls import SCRIPT, execution, new_session

NAME = LanguageTitle("python", "hello")
ANY = FunctionFilter()
PLENTY = Held(100, 100)


class Tables(SessionRows, FunctionRows, ScriptRows, HeldByUser, Protocol):
    """All that the heart asks of PostgreSQL."""


@pytest.fixture(params=["memory", "postgres"])
def tables(request: pytest.FixtureRequest) -> Iterator[Tables]:
    if request.param == "memory":
        yield MemoryTables()
        return
    postgres = Postgres(request.getfixturevalue("postgres_server").url, size=2, timeout=5)
    yield PostgresTables(postgres)
    postgres.close()


@pytest.fixture
def owner() -> str:
    return f"user-{uuid.uuid4()}"


def statements(records: Iterable[Record]) -> list[tuple[str, Mapping[str, Any]]]:
    """As the writer of the log makes them: one statement for all rows of a kind."""
    alone = [(one.query, one.parameters) for one in records if one.row is None]
    rows = [one.row for one in records if one.row is not None]
    return alone + ([("write_requests", {"rows": f"[{','.join(rows)}]"})] if rows else [])


def write(tables: Tables, *records: Record) -> None:
    tables.write_together(statements(records))


def begin(tables: Tables, session: Session) -> Session:
    write(tables, *script_records(SCRIPT), *session_records(session))
    return session


def stored(tables: Tables, session: Session) -> StoredSession:
    found = tables.session(session.request_id)
    assert found is not None
    return found


def executions(session: Session, *, counted: bool = True, executed: bool = True) -> list[Record]:
    """One execution's row, with a new id."""
    (record,) = execution(session)
    assert record.row is not None
    row = json.loads(record.row) | {"id": ordered_id(), "counted": counted, "executed": executed}
    return [Record("write_requests", row=json.dumps(row))]


def register(tables: Tables, owner: str, name: LanguageTitle, text: str, made: datetime | None = None) -> str:
    script = Script.of(text)
    session = new_session(owner, name=name, script_hash=script.hash, created_at=made or now())
    write(tables, *script_records(script), *function_records(session))
    return script.hash


def function(tables: Tables, name: LanguageTitle, owner: str) -> tuple[StoredFunction, str]:
    found = tables.function(name, owner)
    assert found is not None
    return found


def predefine(tables: Tables, name: LanguageTitle, text: str = "return 0", about: str = "x") -> None:
    script = Script.of(text)
    parameters = {
        "language": name.language,
        "title": name.title,
        "description": about,
        "tags": ["a", "b"],
        "schema": '{"params": {"type": "object"}}',
        "examples": '[{"params": {}}]',
        "script_hash": script.hash,
    }
    tables.write_together([*statements(script_records(script)), ("put_predefined_function", parameters)])


def test_what_was_never_written_is_not_there(tables: Tables, owner: str) -> None:
    assert tables.session(str(uuid.uuid4())) is None
    assert tables.function(NAME, owner) is None
    assert tables.function_hash(NAME, owner) is None
    assert tables.script("f" * 64) is None
    assert tables.artifact(ArtifactKey("f" * 64, "rust", "{}")) is None
    assert tables.held_by_user(owner, NAME, PLENTY) == Held(0, 0)


def test_a_session_is_read_as_it_was_written(tables: Tables) -> None:
    session = begin(tables, new_session(params_schema='{"type":"object"}', compile_options={"b": [1]}))
    assert stored(tables, session) == StoredSession(session, 0, 0, None)


def test_a_session_that_is_written_again_is_the_same(tables: Tables) -> None:
    session = begin(tables, new_session())
    write(tables, *executions(session))
    write(tables, *session_records(replace(session, timeout_ms=7)))
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
    write(tables, *session_end_records(session, "closed"))
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
    write(tables, *script_records(SCRIPT), *artifact_records(key, b"\0wasm"))
    write(tables, *script_records(SCRIPT), *artifact_records(key, b"another"))
    assert tables.script(SCRIPT.hash) == SCRIPT.content
    assert tables.artifact(key) == b"\0wasm"
    assert tables.artifact(replace(key, language="c")) is None


def test_another_text_is_another_version(tables: Tables, owner: str) -> None:
    versions = []
    for text in ("result = 1", "result = 1", "result = 2", "result = 1"):
        registered = register(tables, owner, NAME, text)
        found, content = function(tables, NAME, owner)
        assert (content, found.script_hash, tables.function_hash(NAME, owner)) == (
            text,
            registered,
            registered,
        )
        versions.append(found.version)
    assert versions == [1, 1, 2, 3]


def test_an_own_function_says_what_it_is(tables: Tables, owner: str) -> None:
    made = now()
    register(tables, owner, NAME, "result = 1", made)
    found, _ = function(tables, NAME, owner)
    assert (found.name, found.user_id, found.type) == (NAME, owner, "dynamic")
    assert (found.description, found.schema, found.examples, found.tags) == ("", {}, [], [])
    assert (found.created_at, found.updated_at) == (made, made)
    register(tables, owner, NAME, "result = 1")
    again, _ = function(tables, NAME, owner)
    assert again.created_at == made < again.updated_at


def test_an_old_registration_does_not_replace_a_newer_one(tables: Tables, owner: str) -> None:
    new = register(tables, owner, NAME, "result = 1", now() - timedelta(seconds=60))
    register(tables, owner, NAME, "result = 0", now() - timedelta(seconds=120))
    assert tables.function_hash(NAME, owner) == new
    latest = now() - timedelta(seconds=1)
    register(tables, owner, NAME, "result = 2", latest)
    # Clocks of two controllers may differ by seconds: within those the order of writing counts.
    newest = register(tables, owner, NAME, "result = 3", now() - timedelta(seconds=2))
    found, _ = function(tables, NAME, owner)
    assert (found.script_hash, found.version, found.updated_at) == (newest, 3, latest)


def test_an_own_function_hides_the_predefined_one_of_its_name(tables: Tables, owner: str) -> None:
    name = LanguageTitle("nodejs", f"shown-{uuid.uuid4()}")
    predefine(tables, name)
    shown, content = function(tables, name, owner)
    assert (shown.user_id, shown.type, content) == (None, "predefined", "return 0")
    assert (shown.schema, shown.examples, shown.tags) == (
        {"params": {"type": "object"}},
        [{"params": {}}],
        ["a", "b"],
    )
    assert tables.function_hash(name, owner) is None
    register(tables, owner, name, "return 1")
    assert function(tables, name, owner)[1] == "return 1"
    assert function(tables, name, "another")[1] == "return 0"
    nodejs = FunctionFilter(language="nodejs")
    listed = [one for one in tables.functions(owner, nodejs, 1000, 0) if one.name == name]
    assert [one.user_id for one in listed] == [owner]
    assert tables.delete_function(name, owner)
    assert function(tables, name, owner)[1] == "return 0"


def test_a_predefined_function_gets_a_version_with_another_text_only(tables: Tables, owner: str) -> None:
    name = LanguageTitle("nodejs", f"versions-{uuid.uuid4()}")
    seen = []
    for text, about in (("return 0", "x"), ("return 0", "x"), ("return 0", "y"), ("return 1", "y")):
        predefine(tables, name, text, about)
        found, content = function(tables, name, owner)
        seen.append((found.version, found.description, content))
    assert seen == [(1, "x", "return 0"), (1, "x", "return 0"), (1, "y", "return 0"), (2, "y", "return 1")]


def test_lists_are_filtered_counted_and_cut(tables: Tables, owner: str) -> None:
    register(tables, "another", LanguageTitle("python", "theirs"), "result = 0")
    for number in (3, 1, 2):
        register(tables, owner, LanguageTitle("python", f"f{number}"), f"result = {number}")
    register(tables, owner, LanguageTitle("nodejs", "own"), "return 1")
    predefine(tables, LanguageTitle("nodejs", "calculator"))
    own = FunctionFilter(user_id=owner)
    titles = [one.name.title for one in tables.functions(owner, own, 10, 0)]
    assert titles == ["own", "f1", "f2", "f3"]
    assert [one.name.title for one in tables.functions(owner, own, 2, 1)] == ["f1", "f2"]
    assert tables.functions(owner, own, 2, 8) == []
    assert tables.count_functions(owner, own) == 4
    assert tables.count_functions(owner, FunctionFilter("python", owner, "dynamic")) == 3
    assert tables.count_functions(owner, FunctionFilter(user_id="another")) == 0
    everything = tables.functions(owner, ANY, 1000, 0)
    assert tables.count_functions(owner, ANY) == len(everything) > 4
    predefined = tables.functions(owner, FunctionFilter(type="predefined"), 1000, 0)
    assert [one for one in everything if one.type == "predefined"] == predefined


def test_a_deleted_function_is_gone_and_its_versions_stay_for_a_while(tables: Tables, owner: str) -> None:
    while tables.delete_old_versions(0, 1000):
        pass
    for text in ("result = 1", "result = 2", "result = 3"):
        register(tables, owner, NAME, text)
    assert tables.delete_old_versions(0, 1000) == 0
    assert [tables.delete_function(NAME, owner) for _ in range(2)] == [True, False]
    assert tables.function(NAME, owner) is None
    assert tables.delete_old_versions(1, 1000) == 0
    assert [tables.delete_old_versions(0, 2) for _ in range(3)] == [2, 1, 0]


def test_a_function_that_is_registered_after_its_end_begins_anew(tables: Tables, owner: str) -> None:
    for text in ("result = 1", "result = 2"):
        register(tables, owner, NAME, text)
    tables.delete_function(NAME, owner)
    register(tables, owner, NAME, "result = 3")
    assert function(tables, NAME, owner)[0].version == 1


def test_a_user_holds_live_sessions_and_own_functions(tables: Tables, owner: str) -> None:
    for lives in (600, 600, -1):
        begin(tables, new_session(owner, lives=lives))
    ended = begin(tables, new_session(owner))
    tables.end_session(ended.request_id, "deleted")
    begin(tables, new_session("another"))
    for title in ("one", "two"):
        register(tables, owner, LanguageTitle("python", title), "result = 1")
    predefine(tables, LanguageTitle("python", "predefined"))
    assert tables.held_by_user(owner, NAME, PLENTY) == Held(2, 2)
    assert tables.held_by_user(owner, LanguageTitle("python", "one"), PLENTY) == Held(2, 1)
    assert tables.held_by_user(owner, LanguageTitle("nodejs", "one"), PLENTY) == Held(2, 2)
    assert tables.held_by_user(owner, NAME, Held(1, 0)) == Held(1, 0)


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
        tables.write_together([*statements(script_records(script)), statement])
    assert tables.script(script.hash) is None


def test_a_row_refers_to_a_script_that_is_there(tables: Tables, owner: str) -> None:
    session = new_session(owner, script_hash=Script.of(f"result = '{uuid.uuid4()}'").hash)
    for records in (
        session_records(session),
        function_records(session),
        artifact_records(session.artifact_key, b"\0wasm"),
    ):
        with pytest.raises(StoreRejected):
            write(tables, *records)
    assert tables.session(session.request_id) is None


def test_one_process_at_a_time_deletes_expired_sessions(postgres_server: PostgresServer) -> None:
    postgres = Postgres(postgres_server.url, size=2, timeout=5)
    with postgres.transaction() as holder, holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('clean up sessions'))")
        assert PostgresTables(postgres).delete_expired_sessions(1000) is None
    postgres.close()


def test_postgres_that_is_away_is_said_to_be_away(own_postgres_server: PostgresServer) -> None:
    tables = PostgresTables(Postgres(own_postgres_server.url, size=1, timeout=1))
    own_postgres_server.stop()
    for operation in (
        lambda: tables.write_together(statements(script_records(SCRIPT))),
        lambda: tables.session("x"),
        lambda: tables.end_session("x", "closed"),
        lambda: tables.delete_expired_sessions(1),
        lambda: tables.function(NAME, "x"),
        lambda: tables.function_hash(NAME, "x"),
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
