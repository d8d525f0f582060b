"""The beginning of a session in one trip: one suite for the tables in memory and those in PostgreSQL."""

from dataclasses import replace

import gevent
import pytest

from controller.database.postgres import Postgres
from controller.database.tables import PostgresTables
from controller.errors import StoreRejected
from controller.models.registered import LanguageTitle, Script
from controller.models.stored import Beginning, Ended, FunctionContent, Held, StoredSession
from controller.registry.writes import function_writes, script_writes, session_mark_writes
from tests.calls import SCRIPT, new_session
from tests.contract.tables import NAME, PLENTY, Tables, begin, begun, function, stored, write
from tests.databases import Database

BEGUN = Beginning(Ended.BEGUN)
LONG = Script.of("result = '" + "x" * 3000 + "'")


def test_a_session_begins_with_its_script_and_its_artifact(tables: Tables, owner: str) -> None:
    session = new_session(
        owner,
        script_hash=LONG.hash,
        compile_options={"b": [1], "a": None},
        compile_status="compiled",
        params_schema='{"type":"object"}',
        result_schema="{}",
        environment="e" * 64,
    )
    assert begun(tables, session, script=LONG, artifact=b"\0wasm") == BEGUN
    assert stored(tables, session) == StoredSession(session, 0, 0, None)
    assert tables.script(LONG.hash) == LONG.content
    assert tables.artifact(session.artifact_key) == b"\0wasm"
    assert tables.own_content(NAME, owner) is None


def test_a_session_registers_its_function_as_the_write_does(tables: Tables, owner: str) -> None:
    second = Script.of("result = 2")
    assert begun(tables, new_session(owner), registers=True, plain=True) == BEGUN
    first = function(tables, NAME, owner)
    assert (first[0].content, first[1]) == (FunctionContent(SCRIPT.hash, {}), SCRIPT.content)
    assert begun(tables, new_session(owner), registers=True, plain=True) == BEGUN
    assert function(tables, NAME, owner)[0].version == 1, "the same again makes no version"
    session = new_session(owner, script_hash=second.hash)
    replaced = begun(tables, session, script=second, registers=True, packages=["a"])
    assert replaced == Beginning(Ended.BEGUN, SCRIPT.hash)
    assert function(tables, NAME, owner)[0].version == 2
    assert function(tables, NAME, owner)[0].content.packages == ["a"]
    write(tables, *script_writes(second), *function_writes(session, ["a"]))
    assert function(tables, NAME, owner)[0].version == 2
    optioned = new_session(owner, compile_options={"target": "x"})
    assert begun(tables, optioned, registers=True) == Beginning(Ended.BEGUN, second.hash)
    assert function(tables, NAME, owner)[0].content == FunctionContent(SCRIPT.hash, {"target": "x"})


@pytest.mark.parametrize(
    "lent",
    [{"schema": {"params": {}}}, {"packages": ["a"]}, {"environment": "e" * 64}],
    ids=lambda lent: next(iter(lent)),
)
def test_a_plain_session_begins_only_if_its_function_has_nothing_for_it(
    tables: Tables, owner: str, lent: dict[str, object]
) -> None:
    content = FunctionContent(SCRIPT.hash, {}, **lent)  # type: ignore[arg-type]
    put = [("put_script", {"script_hash": SCRIPT.hash, "script_content": SCRIPT.content})]
    assert tables.put_version(NAME, owner, 0, content, put) == 1
    session = new_session(owner)
    assert begun(tables, session, registers=True, plain=True) == Beginning(Ended.DIFFERS)
    assert tables.session(session.request_id) is None
    assert begun(tables, session, plain=True) == BEGUN, "it registers nothing"
    assert begun(tables, new_session(owner), registers=True, plain=False) == BEGUN
    assert function(tables, NAME, owner)[0].content.schema == content.schema


def test_a_user_begins_no_more_sessions_than_the_bound(tables: Tables, owner: str) -> None:
    most = Held(3, 0)
    expired, ended = new_session(owner, lives=-1), new_session(owner)
    assert begun(tables, expired, most) == begun(tables, ended, most) == BEGUN
    begin(tables, by_name := new_session(owner))
    write(tables, *session_mark_writes(by_name.request_id, None, by_name=True))
    tables.end_session(ended.request_id, "deleted")
    assert [begun(tables, new_session(owner), most).at_bound for _ in range(3)] == [False, False, True]
    refused, other = new_session(owner, script_hash=LONG.hash), LanguageTitle("python", "other")
    assert begun(tables, replace(refused, name=other), most, script=LONG, registers=True) == Beginning(
        Ended.SESSIONS, at_bound=True
    )
    assert (tables.session(refused.request_id), tables.own_content(other, owner)) == (None, None)
    assert begun(tables, new_session(f"{owner}-other"), most) == BEGUN
    assert begun(tables, new_session(owner)) == BEGUN, "without a bound"


def test_a_user_registers_no_more_functions_than_the_bound(tables: Tables, owner: str) -> None:
    def register(title: str, **changes: str) -> Beginning:
        named = new_session(owner, name=LanguageTitle("python", title))
        return begun(tables, named, Held(0, 2), registers=True)

    assert [register(title).at_bound for title in ("one", "two")] == [False, True]
    assert register("three") == Beginning(Ended.FUNCTIONS, at_bound=True)
    assert register("one") == BEGUN, "it is registered already"
    assert begun(tables, new_session(owner), Held(0, 2)) == BEGUN, "it registers nothing"
    assert tables.held_by_user(owner, NAME, PLENTY).functions == 2


def test_what_does_not_fit_is_refused_and_leaves_nothing(owner: str, postgres_database: Database) -> None:
    postgres = Postgres(postgres_database.url, size=1, timeout=60)
    tables = PostgresTables(postgres)
    session = new_session(owner)
    with pytest.raises(StoreRejected):
        begun(tables, session, script=Script("a\0b", SCRIPT.hash), registers=True)
    with pytest.raises(StoreRejected):
        begun(tables, replace(session, isolation="none"), registers=True)
    assert (tables.session(session.request_id), tables.own_content(NAME, owner)) == (None, None)
    postgres.close()


def test_requests_at_the_same_time_keep_the_bounds(owner: str, postgres_database: Database) -> None:
    postgres = Postgres(postgres_database.url, size=12, timeout=60)
    tables = PostgresTables(postgres)

    def ask(number: int) -> Ended:
        session = new_session(owner, name=LanguageTitle("python", f"title-{number % 6}"))
        return begun(tables, session, Held(20, 4), registers=True).ended

    asked = [gevent.spawn(ask, number) for number in range(60)]
    gevent.joinall(asked, raise_error=True)
    ended = [each.get() for each in asked]
    held = tables.held_by_user(owner, NAME, PLENTY)
    assert held == Held(20, 4)
    assert ended.count(Ended.BEGUN) == 20
    postgres.close()
