"""Examples that are run before a version is made."""

from typing import Any

import pytest

from controller.errors import Forbidden, InitializationFailed, RateLimited
from controller.models.registered import Identity
from controller.models.stored import Held
from tests.unit.controller.heart import HELLO, Process, Stores

#: The runtime of these tests answers how many runs there were.
SCRIPT = "result = runs"


def refused(one: Process, examples: list[dict[str, Any]], **fields: Any) -> list[dict[str, Any]]:
    """The differences that an answer tells. No version is made."""
    with pytest.raises(InitializationFailed) as error:
        one.put(script=SCRIPT, examples=examples, verify=True, **fields)
    assert error.value.details["stage"] == "verify"
    assert one.functions.newest_own(HELLO, "alice") is None
    differences: list[dict[str, Any]] = error.value.details["differences"]
    return differences


def test_a_version_with_examples_that_hold_is_made(one: Process, stores: Stores) -> None:
    examples = [{"params": {"a": 1}, "result": 1}, {"result": 2.0}, {"name": "any"}]
    assert one.put(script=SCRIPT, examples=examples, verify=True).version == 1
    assert stores.runtime.runs == 3
    # No session is left behind.
    assert stores.postgres.held_by_user("alice", HELLO, Held(9, 9)) == Held(0, 0)


def test_examples_are_run_only_where_it_is_asked(one: Process, stores: Stores) -> None:
    one.put(script=SCRIPT, examples=[{"result": 7}])
    assert stores.runtime.runs == 0


def test_the_right_to_write_alone_runs_no_examples(one: Process, stores: Stores) -> None:
    writer = Identity("alice", frozenset({"write:functions"}), by_key=True)
    with pytest.raises(Forbidden):
        one.put(writer, script=SCRIPT, examples=[{"result": 1}], verify=True)
    assert stores.runtime.prepared == []
    assert one.put(writer, script=SCRIPT, examples=[{"result": 1}]).version == 1


def test_a_result_that_differs_is_told_as_a_patch(one: Process) -> None:
    found = refused(one, [{"result": 1}, {"name": "second", "result": 5}, {"result": True}])
    assert found == [
        {"example": 1, "name": "second", "patch": [{"op": "replace", "path": "", "value": 2}]},
        {"example": 2, "patch": [{"op": "replace", "path": "", "value": 3}]},
    ]


def test_an_example_that_fails_is_told_with_its_error(one: Process) -> None:
    found = refused(one, [{"params": {"fails": "RUNTIME_ERROR"}, "result": 1}])
    assert (found[0]["example"], found[0]["error"]["code"]) == (0, "RUNTIME_ERROR")


def test_examples_meet_the_schemas(one: Process) -> None:
    schema = {"params": {"required": ["a"]}, "result": {"maximum": 0}}
    found = refused(one, [{"params": {}}, {"params": {"a": 1}}], schema=schema, enforce_result=True)
    assert [one["error"]["code"] for one in found] == ["INVALID_PARAMS", "RUNTIME_ERROR"]


def test_a_runtime_that_is_full_says_nothing_of_the_examples(one: Process) -> None:
    with pytest.raises(RateLimited):
        one.put(script=SCRIPT, examples=[{"params": {"fails": "RATE_LIMITED"}}], verify=True)


def test_differences_are_bounded(one: Process) -> None:
    examples = [{"name": "n" * 2000, "result": "x"} for _ in range(50)]
    assert 20 < len(refused(one, examples)) < 50
