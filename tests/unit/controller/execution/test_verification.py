"""Examples that are run before a version is made."""

import json
from typing import Any

import pytest

from controller.errors import Forbidden, InitializationFailed, RateLimited
from controller.execution.verification import READ_MAX, SHOWN_MAX
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


@pytest.mark.covers("functions: verify tells what differs")
def test_a_result_that_differs_is_told_as_a_patch(one: Process) -> None:
    found = refused(one, [{"result": 1}, {"name": "second", "result": 5}, {"result": True}])
    assert found == [
        {"example": 1, "name": "second", "patch": [{"op": "replace", "path": "", "value": 2}]},
        {"example": 2, "patch": [{"op": "replace", "path": "", "value": 3}]},
    ]


@pytest.mark.parametrize(
    ("expected", "result"),
    [
        ([0] * 1500, [1] * 1500),
        ([], list(range(2000))),
        (json.loads("[" * 150 + "0" + "]" * 150), json.loads("[" * 150 + "1" + "]" * 150)),
    ],
    ids=["long", "longer", "deep"],
)
def test_where_a_patch_of_parts_takes_long_the_whole_result_is_told(
    one: Process, stores: Stores, expected: Any, result: Any
) -> None:
    stores.runtime.result = json.dumps(result).encode()
    found = refused(one, [{"result": expected}])
    assert found == [{"example": 0, "patch": [{"op": "replace", "path": "", "value": result}]}]


@pytest.mark.parametrize("size", [SHOWN_MAX, READ_MAX])
def test_a_result_too_long_to_be_shown_is_told_by_its_length(one: Process, stores: Stores, size: int) -> None:
    stores.runtime.result = json.dumps("x" * size).encode()
    (found,) = refused(one, [{"name": "long", "result": 1}])
    assert found["name"] == "long"
    assert f"{size + 2} bytes" in found["message"]


def test_a_long_result_that_is_as_expected_holds(one: Process, stores: Stores) -> None:
    stores.runtime.result = json.dumps(list(range(20_000))).encode()
    assert one.put(script=SCRIPT, examples=[{"result": list(range(20_000))}], verify=True).version == 1


def test_an_integer_too_long_to_be_read_is_told(one: Process, stores: Stores) -> None:
    stores.runtime.result = b"1" + b"0" * 9000
    (found,) = refused(one, [{"result": 1}])
    assert "integer" in found["message"]


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
