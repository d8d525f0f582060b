"""FunctionCatalog on tables in memory: what a user sees of a function, and what belongs to whom."""

from typing import Any

import pytest
from msgspec import UNSET

from controller.errors import NotFound
from controller.models.registered import FunctionRef, LanguageTitle
from controller.models.requests import FunctionsQuery
from controller.models.responses import FunctionPage
from controller.models.stored import FunctionFilter
from tests.unit.controller.heart import BOB, HELLO, Process, Stores

CALCULATOR = LanguageTitle("nodejs", "calculator")


@pytest.fixture
def one(one: Process, stores: Stores) -> Process:
    """With a predefined function."""
    stores.postgres.write_together(
        [
            ("put_script", {"script_hash": "0" * 64, "script_content": "return 0"}),
            (
                "put_predefined_function",
                {
                    "language": "nodejs",
                    "title": "calculator",
                    "description": "adds",
                    "tags": ["math"],
                    "schema": '{"params": {"type": "object", "a": 1}}',
                    "examples": "[]",
                    "script_hash": "0" * 64,
                },
            ),
        ]
    )
    return one


def query(page: int | None = 1, per_page: int = 20, **chosen: Any) -> FunctionsQuery:
    return FunctionsQuery(FunctionFilter(**chosen), per_page, page)


def titles(page: FunctionPage) -> list[str]:
    return [function.language_title for function in page.functions]


def test_a_user_sees_the_predefined_functions_and_their_own(one: Process) -> None:
    one.begin()
    assert titles(one.functions.page("alice", query())) == ["nodejs-calculator", "python-hello"]
    assert titles(one.functions.page("bob", query())) == ["nodejs-calculator"]


def test_pages_are_cut_and_counted(one: Process) -> None:
    for number in range(4):
        one.begin(name=LanguageTitle("python", f"f{number}"))
    page = one.functions.page("alice", query(language="python", page=2, per_page=3))
    assert (page.total, page.page, page.per_page, titles(page)) == (4, 2, 3, ["python-f3"])
    assert one.functions.page("alice", query(type="predefined")).total == 1
    assert one.functions.page("alice", query(user_id="bob")).total == 0


def test_the_script_of_an_own_function_alone_is_shown(one: Process) -> None:
    one.begin()
    own = one.functions.detail(FunctionRef(HELLO), "alice")
    assert (own.script_content, own.version, own.user_id) == ("result = 1", 1, "alice")
    predefined = one.functions.detail(FunctionRef(CALCULATOR), "alice")
    assert predefined.script_content is UNSET
    assert (predefined.type, predefined.tags, predefined.user_id) == ("predefined", ["math"], None)
    assert predefined.created_at.endswith("Z")


def test_a_function_is_registered_for_its_owner_alone(one: Process) -> None:
    one.begin()
    registered = one.functions.registered(FunctionRef(HELLO), "alice")
    assert (registered.script.content, registered.params_schema) == ("result = 1", None)
    for look in (one.functions.registered, one.functions.detail):
        with pytest.raises(NotFound, match="python-hello"):
            look(FunctionRef(HELLO), "bob")


def test_the_schema_of_params_is_canonical(one: Process) -> None:
    assert (
        one.functions.registered(FunctionRef(CALCULATOR), "alice").params_schema == '{"a":1,"type":"object"}'
    )


def test_an_own_function_alone_can_be_deleted(one: Process) -> None:
    one.begin()
    one.begin(identity=BOB, script="result = 2")
    with pytest.raises(NotFound):
        one.functions.require_own(CALCULATOR, "alice")
    with pytest.raises(NotFound):
        one.functions.delete(CALCULATOR, "alice")
    one.functions.require_own(HELLO, "alice")
    one.functions.delete(HELLO, "alice")
    with pytest.raises(NotFound):
        one.functions.registered(FunctionRef(HELLO), "alice")
    for change in (one.functions.require_own, one.functions.delete):
        with pytest.raises(NotFound):
            change(HELLO, "alice")
    assert one.functions.registered(FunctionRef(HELLO), "bob").script.content == "result = 2"


def test_versions_of_a_deleted_function_are_kept_for_a_month(one: Process) -> None:
    one.begin()
    one.functions.delete(HELLO, "alice")
    assert one.functions.clean_up() == 0
