"""Versions and aliases of functions: the tables in memory and those in PostgreSQL pass the same suite."""

import uuid
from dataclasses import replace
from typing import Any

import pytest

from controller.database.postgres import Postgres
from controller.database.tables import PostgresTables
from controller.errors import StoreRejected
from controller.models.registered import LanguageTitle, Script
from controller.models.stored import Alias, AliasWrite, Deletion, FunctionContent, Held
from controller.registry.writes import script_writes, session_mark_writes
from tests.calls import new_session
from tests.contract.tables import (
    NAME,
    PLENTY,
    Tables,
    begin,
    function,
    own_hash,
    predefine,
    register,
    statements,
    stored,
    write,
)
from tests.databases import Database

FULL = FunctionContent(
    "",
    {"optimization_level": "debug"},
    "about",
    ["a", "b"],
    {"params": {"type": "object"}, "result": {"type": "integer"}},
    True,
    [{"name": "one", "params": {"x": "\0\ud800"}, "result": 1}],
    {"timeout_ms": 7, "context": {"k": [None]}, "cache_ttl": 0},
)


def put(tables: Tables, owner: str, based_on: int, text: str = "result = 1", **changes: Any) -> int | None:
    script = Script.of(text)
    content = replace(FULL, script_hash=script.hash, **changes)
    return tables.put_version(NAME, owner, based_on, content, statements(script_writes(script)))


def numbers(tables: Tables, owner: str, before: int = 1 << 30, most: int = 5000) -> list[int]:
    return [one.version for one in tables.versions(NAME, owner, before, most)]


def test_a_version_is_read_as_it_was_put(tables: Tables, owner: str) -> None:
    assert put(tables, owner, 0) == 1
    assert put(tables, owner, 1, "result = 2", description="other", tags=[], enforce_result=False) == 2
    targets = tables.function_targets(NAME, owner)
    assert targets is not None
    assert (targets.user_id, targets.newest, targets.aliases) == (owner, 2, {})
    for version, script, content in (
        (1, Script.of("result = 1"), FULL),
        (2, Script.of("result = 2"), replace(FULL, description="other", tags=[], enforce_result=False)),
    ):
        found = tables.function_version(targets.function_id, version)
        assert found is not None
        assert found[0].content == replace(content, script_hash=script.hash)
        assert (found[0].version, found[0].newest, found[1]) == (version, 2, script.content)
    assert tables.function_version(targets.function_id, 3) is None
    assert tables.function_version(str(uuid.uuid4()), 1) is None


def test_a_version_that_is_not_based_on_the_newest_is_not_made(tables: Tables, owner: str) -> None:
    assert put(tables, owner, 1) is None
    assert tables.function_targets(NAME, owner) is None
    assert put(tables, owner, 0) == 1
    assert [put(tables, owner, based_on, "result = 2") for based_on in (0, 2, 1, 1)] == [None, None, 2, None]
    assert numbers(tables, owner) == [2, 1]


def test_a_version_without_its_script_is_refused(tables: Tables, owner: str) -> None:
    with pytest.raises(StoreRejected):
        tables.put_version(NAME, owner, 0, replace(FULL, script_hash="f" * 64), [])
    assert tables.function_targets(NAME, owner) is None


def test_a_registration_changes_the_script_alone(tables: Tables, owner: str) -> None:
    put(tables, owner, 0)
    registered = register(tables, owner, NAME, "result = 3")
    found, _ = function(tables, NAME, owner)
    assert found.version == 2
    assert found.content == replace(FULL, script_hash=registered, compile_options={})
    register(tables, owner, NAME, "result = 3")
    assert function(tables, NAME, owner)[0].version == 2


def test_versions_are_listed_in_pages_with_their_aliases(tables: Tables, owner: str) -> None:
    assert tables.versions(NAME, owner, 10, 10) == []
    for text in ("result = 1", "result = 2", "result = 3"):
        register(tables, owner, NAME, text)
    tables.put_alias(NAME, owner, "live", Alias(2), 20)
    tables.put_alias(NAME, owner, "beta", Alias(1, 2, 0.5), 20)
    page = tables.versions(NAME, owner, 4, 2)
    assert [(one.version, list(one.aliases)) for one in page] == [(3, []), (2, ["beta", "live"])]
    assert page[0].script_hash == Script.of("result = 3").hash
    assert numbers(tables, owner, 2, 2) == [1]
    assert numbers(tables, "another") == []
    name = LanguageTitle("nodejs", f"v-{uuid.uuid4()}")
    predefine(tables, name)
    assert [one.version for one in tables.versions(name, owner, 9, 9)] == [1]


def test_an_alias_names_versions_that_are_there(tables: Tables, owner: str) -> None:
    assert tables.put_alias(NAME, owner, "live", Alias(1), 20) is AliasWrite.UNKNOWN
    register(tables, owner, NAME, "result = 1")
    register(tables, owner, NAME, "result = 2")
    assert tables.put_alias(NAME, owner, "live", Alias(3), 20) is AliasWrite.UNKNOWN
    assert tables.put_alias(NAME, owner, "live", Alias(1, 3, 0.1), 20) is AliasWrite.UNKNOWN
    assert tables.put_alias(NAME, owner, "live", Alias(1), 20) is AliasWrite.CREATED
    assert tables.put_alias(NAME, owner, "live", Alias(2, 1, 0.25), 20) is AliasWrite.CHANGED
    assert tables.put_alias(NAME, owner, "other", Alias(2), 1) is AliasWrite.FULL
    assert tables.put_alias(NAME, owner, "live", Alias(2, 1, 0.5), 1) is AliasWrite.CHANGED
    targets = tables.function_targets(NAME, owner)
    assert targets is not None
    assert targets.aliases == {"live": Alias(2, 1, 0.5)}
    assert tables.put_alias(NAME, "another", "live", Alias(1), 20) is AliasWrite.UNKNOWN
    assert [tables.delete_alias(NAME, owner, "live") for _ in range(2)] == [True, False]
    assert not tables.delete_alias(NAME, "another", "live")


def test_a_version_goes_unless_it_is_named_or_the_only_one(tables: Tables, owner: str) -> None:
    assert tables.delete_version(NAME, owner, 1) is Deletion.UNKNOWN
    register(tables, owner, NAME, "result = 1")
    assert tables.delete_version(NAME, owner, 1) is Deletion.ONLY
    for text in ("result = 2", "result = 3", "result = 4"):
        register(tables, owner, NAME, text)
    tables.put_alias(NAME, owner, "live", Alias(1, 2, 0.5), 20)
    ends = [tables.delete_version(NAME, owner, version) for version in (1, 2, 3, 3, 9)]
    assert ends == [Deletion.NAMED, Deletion.NAMED, Deletion.DONE, Deletion.UNKNOWN, Deletion.UNKNOWN]
    assert tables.delete_version(NAME, "another", 4) is Deletion.UNKNOWN
    before = tables.function_targets(NAME, owner)
    assert tables.delete_version(NAME, owner, 4) is Deletion.DONE
    after = tables.function_targets(NAME, owner)
    assert before is not None
    assert after is not None
    assert (after.newest, after.updated_at > before.updated_at) == (2, True)
    assert function(tables, NAME, owner)[1] == "result = 2"
    assert own_hash(tables, NAME, owner) == Script.of("result = 2").hash
    # The number of the newest version is not given again.
    register(tables, owner, NAME, "result = 5")
    assert numbers(tables, owner) == [5, 2, 1]


def test_the_numbers_of_a_function_go_on_after_its_end(tables: Tables, owner: str) -> None:
    put(tables, owner, 0)
    put(tables, owner, 1, "result = 2")
    tables.put_alias(NAME, owner, "live", Alias(1), 20)
    assert tables.delete_function(NAME, owner)
    assert put(tables, owner, 0, "result = 3") == 3
    targets = tables.function_targets(NAME, owner)
    assert targets is not None
    assert (targets.newest, targets.aliases, numbers(tables, owner)) == (3, {}, [3])
    assert tables.delete_function(NAME, owner)
    register(tables, owner, NAME, "result = 3")
    found, _ = function(tables, NAME, owner)
    assert (found.version, found.content.description) == (4, "")


def test_no_owner_sees_predefined_functions_only(tables: Tables, owner: str) -> None:
    name = LanguageTitle("nodejs", f"own-{uuid.uuid4()}")
    register(tables, owner, name, "return 1")
    assert tables.function_targets(name, None) is None
    predefine(tables, name)
    targets = tables.function_targets(name, None)
    assert targets is not None
    assert targets.user_id is None


def test_the_oldest_versions_go_but_for_those_that_an_alias_names(tables: Tables, owner: str) -> None:
    put(tables, owner, 0)
    put(tables, owner, 1, "result = 2")
    tables.put_alias(NAME, owner, "live", Alias(1), 20)
    script = Script.of("result = 1")
    for number in range(2, 1002):
        tables.put_version(
            NAME, owner, number, replace(FULL, script_hash=script.hash, description=str(number)), []
        )
    listed = numbers(tables, owner)
    assert (len(listed), listed[0], listed[-2:]) == (1000, 1002, [4, 1])


def test_a_session_behind_a_name_takes_no_place_of_its_user(tables: Tables, owner: str) -> None:
    session = begin(tables, new_session(owner))
    write(tables, *session_mark_writes(session.request_id, None, by_name=True))
    assert tables.held_by_user(owner, NAME, PLENTY) == Held(0, 0)
    other = begin(tables, new_session(owner))
    write(tables, *session_mark_writes(other.request_id, '{"type":"null"}', by_name=False))
    assert tables.held_by_user(owner, NAME, PLENTY) == Held(1, 0)
    assert stored(tables, other).session.result_schema == '{"type":"null"}'


#: How a controller of the release before registers a function.
BEFORE = """
WITH function AS (
    INSERT INTO functions (user_id, language, title, type, script_hash, compile_options, created_at, updated_at)
    VALUES (%(owner)s, 'python', 'hello', 'dynamic', %(script_hash)s, '{}', now(), now())
    ON CONFLICT (user_id, language, title) WHERE user_id IS NOT NULL DO UPDATE SET
        version = functions.version + (functions.script_hash <> excluded.script_hash)::integer,
        script_hash = excluded.script_hash, compile_options = excluded.compile_options
    RETURNING function_id, version, script_hash
)
INSERT INTO function_versions (function_id, version, script_hash)
SELECT function_id, version, script_hash FROM function ON CONFLICT DO NOTHING RETURNING version
"""


def test_a_registration_by_the_release_before_makes_a_whole_version(
    postgres_database: Database, owner: str
) -> None:
    postgres = Postgres(postgres_database.url, size=2, timeout=60)
    tables = PostgresTables(postgres)
    seen = []
    for text in ("result = 1", "result = 1", "result = 2"):
        script = Script.of(text)
        write(tables, *script_writes(script))
        with postgres.transaction() as opened, opened.cursor() as cursor:
            cursor.execute(BEFORE, {"owner": owner, "script_hash": script.hash})
        seen.append(function(tables, NAME, owner)[0].version)
    put(tables, owner, 2, "result = 3")
    assert tables.delete_version(NAME, owner, 3) is Deletion.DONE
    put(tables, owner, 2, "result = 4")
    with postgres.transaction() as opened, opened.cursor() as cursor:
        cursor.execute(BEFORE, {"owner": owner, "script_hash": Script.of("result = 1").hash})
    found, content = function(tables, NAME, owner)
    assert (seen, found.version, content) == ([1, 1, 2], 5, "result = 1")
    assert found.content == replace(FULL, script_hash=Script.of("result = 1").hash, compile_options={})
    postgres.close()
