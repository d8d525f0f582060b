"""Registered functions: the tables in memory and those in PostgreSQL pass the same suite."""

import uuid
from datetime import timedelta

from controller.models.registered import FIRST, LanguageTitle, Script, now
from controller.models.stored import FunctionContent, FunctionFilter, Held
from controller.registry.writes import script_writes
from tests.calls import new_session
from tests.contract.tables import (
    ANY,
    NAME,
    PLENTY,
    Tables,
    begin,
    function,
    own_hash,
    predefine,
    register,
    statements,
)


def test_another_text_is_another_version(tables: Tables, owner: str) -> None:
    versions = []
    for text in ("result = 1", "result = 1", "result = 2", "result = 1"):
        registered = register(tables, owner, NAME, text)
        found, content = function(tables, NAME, owner)
        assert (content, found.content.script_hash, own_hash(tables, NAME, owner)) == (
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
    assert (found.content.description, found.content.schema, found.content.examples, found.content.tags) == (
        "",
        {},
        [],
        [],
    )
    assert (found.created_at, found.updated_at) == (made, made)
    register(tables, owner, NAME, "result = 1")
    again, _ = function(tables, NAME, owner)
    assert again.created_at == made < again.updated_at


def test_an_old_registration_does_not_replace_a_newer_one(tables: Tables, owner: str) -> None:
    new = register(tables, owner, NAME, "result = 1", now() - timedelta(seconds=60))
    register(tables, owner, NAME, "result = 0", now() - timedelta(seconds=120))
    assert own_hash(tables, NAME, owner) == new
    latest = now() - timedelta(seconds=1)
    register(tables, owner, NAME, "result = 2", latest)
    # Clocks of two controllers may differ by seconds: within those the order of writing counts.
    newest = register(tables, owner, NAME, "result = 3", now() - timedelta(seconds=2))
    found, _ = function(tables, NAME, owner)
    assert (found.content.script_hash, found.version, found.updated_at) == (newest, 3, latest)


def test_an_own_function_hides_the_predefined_one_of_its_name(tables: Tables, owner: str) -> None:
    name = LanguageTitle("nodejs", f"shown-{uuid.uuid4()}")
    predefine(tables, name)
    shown, content = function(tables, name, owner)
    assert (shown.user_id, shown.type, content) == (None, "predefined", "return 0")
    assert (shown.content.schema, shown.content.examples, shown.content.tags) == (
        {"params": {"type": "object"}},
        [{"params": {}}],
        ["a", "b"],
    )
    assert tables.own_content(name, owner) is None
    register(tables, owner, name, "return 1")
    assert function(tables, name, owner)[1] == "return 1"
    assert function(tables, name, "another")[1] == "return 0"
    nodejs = FunctionFilter(language="nodejs")
    listed = [one for one in tables.functions(owner, nodejs, 1000, 0) if one.name == name]
    assert [one.user_id for one in listed] == [owner]
    assert tables.delete_function(name, owner)
    assert function(tables, name, owner)[1] == "return 0"


def test_a_predefined_function_gets_a_version_with_any_difference(tables: Tables, owner: str) -> None:
    name = LanguageTitle("nodejs", f"versions-{uuid.uuid4()}")
    seen = []
    for text, about in (("return 0", "x"), ("return 0", "x"), ("return 0", "y"), ("return 1", "y")):
        predefine(tables, name, text, about)
        found, content = function(tables, name, owner)
        seen.append((found.version, found.content.description, content))
    assert seen == [(1, "x", "return 0"), (1, "x", "return 0"), (2, "y", "return 0"), (3, "y", "return 1")]


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
    assert tables.count_functions(owner, FunctionFilter(user_id=owner, type="predefined")) == 0
    # One that is registered again is counted once, a deleted one not at all.
    register(tables, owner, LanguageTitle("nodejs", "own"), "return 2")
    assert tables.delete_function(LanguageTitle("python", "f1"), owner)
    assert (tables.count_functions(owner, own), len(tables.functions(owner, own, 10, 0))) == (3, 3)
    everything = tables.functions(owner, ANY, 1000, 0)
    assert tables.count_functions(owner, ANY) == len(everything) > 3
    predefined = tables.functions(owner, FunctionFilter(type="predefined"), 1000, 0)
    assert [one for one in everything if one.type == "predefined"] == predefined


def test_a_deleted_function_is_gone_and_its_versions_stay_for_a_while(tables: Tables, owner: str) -> None:
    while tables.delete_old_versions(0, 1000):
        pass
    for text in ("result = 1", "result = 2", "result = 3"):
        register(tables, owner, NAME, text)
    assert tables.delete_old_versions(0, 1000) == 0
    assert [tables.delete_function(NAME, owner) for _ in range(2)] == [True, False]
    assert tables.function_targets(NAME, owner) is None
    assert tables.delete_old_versions(1, 1000) == 0
    assert [tables.delete_old_versions(0, 2) for _ in range(3)] == [2, 1, 0]


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


def test_a_list_is_searched_and_goes_on_after_a_name(tables: Tables, owner: str) -> None:
    for title, about, tags in (
        ("alpha", "Adds", ["math"]),
        ("beta", "multiplies", ["math", "x"]),
        ("gamma", "", []),
    ):
        script = Script.of("result = 1")
        content = FunctionContent(script.hash, {}, about, tags)
        name = LanguageTitle("python", title)
        assert tables.put_version(name, owner, 0, content, statements(script_writes(script))) == 1

    def titles(most: int = 100, after: LanguageTitle = FIRST, **chosen: str) -> list[str]:
        own = FunctionFilter(user_id=owner, **chosen)
        found = [one.name.title for one in tables.functions(owner, own, most, 0, after)]
        if after == FIRST and most == 100:
            assert tables.count_functions(owner, own) == len(found)
        return found

    assert titles(words="ADD") == ["alpha"]
    assert titles(words="python-b") == ["beta"]
    assert titles(words="math") == titles(tag="math") == ["alpha", "beta"]
    assert titles(tag="x", words="multi") == ["beta"]
    assert titles(tag="mat") == titles(words="%") == []
    assert titles(2) == ["alpha", "beta"]
    assert titles(2, LanguageTitle("python", "alpha")) == ["beta", "gamma"]
    assert titles(2, LanguageTitle("python", "gamma")) == titles(2, LanguageTitle("rust", "")) == []
    assert titles(2, LanguageTitle("nodejs", "zeta")) == ["alpha", "beta"]
