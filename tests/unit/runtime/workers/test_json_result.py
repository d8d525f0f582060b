"""A Python result as JSON, and the place of a value that JSON does not have."""

import json
from enum import IntEnum
from typing import Any

import pytest

from runtime.workers.json_result import encode_result
from runtime.workers.protocol import ScriptError


class Colour(IntEnum):
    RED = 1


class Hostile(dict[str, Any]):
    def items(self) -> Any:
        raise OSError("no")


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (None, None),
        ((1, (2,)), [1, [2]]),
        ({1: "a", None: "b", False: "c"}, {"1": "a", "null": "b", "false": "c"}),
        (Colour.RED, 1),
        ("ラ\u0000\ud800", "ラ\u0000\ud800"),
        (2**70, 2**70),
    ],
)
def test_json_values_are_written(result: object, expected: object) -> None:
    assert json.loads(encode_result(result)) == expected


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (float("nan"), "the result holds nan as a whole"),
        ({"a": [0, float("-inf")]}, "the result holds -inf at /a/1"),
        ({"a/b": {"~": b""}}, "the result holds a value of type bytes at /a~1b/~0"),
        ([{(1,): 2}], "the result holds a key of type tuple at /0"),
        ([1, {2}, b""], "the result holds a value of type set at /1"),
    ],
)
def test_the_first_fault_is_named_with_its_place(result: object, message: str) -> None:
    with pytest.raises(ScriptError) as caught:
        encode_result(result)
    assert caught.value.answer["message"] == message
    assert caught.value.answer["kind"] == "result_not_json"


def test_a_cycle_is_named_with_its_place() -> None:
    cycle: list[Any] = [1]
    cycle.append({"x": cycle})
    with pytest.raises(ScriptError, match="contains itself at /1/x"):
        encode_result(cycle)


def test_the_same_value_twice_is_no_cycle() -> None:
    shared = [1]
    assert encode_result([shared, shared]) == b"[[1],[1]]"


def test_a_result_that_fails_in_another_way_is_no_json_either() -> None:
    with pytest.raises(ScriptError) as caught:
        encode_result(Hostile(a=1))
    assert caught.value.answer["kind"] == "result_not_json"


def test_a_deep_result_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ScriptError, match="nested too deeply"):
        encode_result(deep)
