"""Python's worker program: results as JSON, semaphores without a kernel's, and what the system refused."""

import json
import linecache
import sys
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from typing import Any, NamedTuple

import pytest

from runtime.workers.json_result import encode_result
from runtime.workers.protocol import ScriptError, any_digits
from runtime.workers.python_traceback import SCRIPT_FILE, script_error


class Colour(IntEnum):
    RED = 1


class Hostile(dict[str, Any]):
    def items(self) -> Any:
        raise OSError("no")


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


class Text(str):
    __slots__ = ()


class Number(int):
    def __repr__(self) -> str:
        return "a number"


class Point(NamedTuple):
    x: int


@dataclass
class Plain:
    x: int


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (None, None),
        ((1, (2,)), [1, [2]]),
        ({1: "a", None: "b", False: "c"}, {"1": "a", "null": "b", "false": "c"}),
        (Colour.RED, 1),
        ("ラ\u0000\ud800", "ラ\u0000\ud800"),
        (2**70, 2**70),
        (OrderedDict(a=1), {"a": 1}),
        (Counter("aab"), {"a": 2, "b": 1}),
        (Point(1), [1]),
        (Text("a"), "a"),
        ({Text("a"): Text("b")}, {"a": "b"}),
        (Number(7), 7),
        ({Number(7): 1}, {"7": 1}),
        ({1.5: 1, 2: 2, True: 3, None: 4}, {"1.5": 1, "2": 2, "true": 3, "null": 4}),
        ({"1": 1, "true": 2, "null": 3}, {"1": 1, "true": 2, "null": 3}),
        ({1: {"1": 2}}, {"1": {"1": 2}}),
        (['"1":', {"1": 1}, '{"1":'], ['"1":', {"1": 1}, '{"1":']),
        (-0.0, -0.0),
    ],
)
def test_json_and_values_close_to_it_are_written(result: object, expected: object) -> None:
    assert json.loads(encode_result(result)) == expected


@pytest.mark.parametrize("number", [10**5000, -(7**20_000), 10**100_000], ids=["5001", "16902", "100001"])
def test_an_integer_of_any_length_is_written_digit_by_digit(number: int) -> None:
    written = encode_result([number, {number: 1}])
    assert sys.get_int_max_str_digits() == sys.int_info.default_max_str_digits
    with any_digits():
        assert written == b'[%d,{"%d":1}]' % (number, number)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (float("nan"), "nan as a whole"),
        ({"a": [0, float("-inf")]}, "-inf at /a/1"),
        ({"a/b": {"~": b""}}, "a value of type bytes at /a~1b/~0"),
        ([{(1,): 2}], "a key of type tuple at /0"),
        ([1, {2}, b""], "a value of type set at /1"),
        ({1: "a", "1": "b"}, 'two keys that are "1" in JSON as a whole'),
        ([0, {"x": {True: 1, "true": 2}}], 'two keys that are "true" in JSON at /1/x'),
        ({"counts": {None: 1, "null": 2}}, 'two keys that are "null" in JSON at /counts'),
        ({"a": {-1.5: 1, "-1.5": 2}}, 'two keys that are "-1.5" in JSON at /a'),
        ({False: {False: 1, "false": 2}}, 'two keys that are "false" in JSON at /false'),
        ({1e22: 1, "1e+22": 2}, 'two keys that are "1e+22" in JSON as a whole'),
        ({float("inf"): 1}, "the key inf as a whole"),
        ({"a": {float("nan"): 1}}, "the key nan at /a"),
        ([ValueError("x")], "a value of type ValueError at /0"),
        ({"a": map(str, [1])}, "a value of type map at /a"),
        ({"a": (n for n in [1])}, "a value of type generator at /a"),
        ([Decimal(1)], "a value of type Decimal at /0"),
        ({"at": datetime(2026, 1, 1, tzinfo=UTC)}, "a value of type datetime at /at"),
        ({None: Plain(1)}, "a value of type Plain at /null"),
        ([bytearray(b"")], "a value of type bytearray at /0"),
        ([1j], "a value of type complex at /0"),
        ({"a": frozenset()}, "a value of type frozenset at /a"),
        ([{}.keys()], "a value of type dict_keys at /0"),
        ({"\ud800": {1}}, "a value of type set at /\ud800"),
    ],
)
def test_the_first_thing_that_json_cannot_hold_is_named_with_its_place(result: object, message: str) -> None:
    with pytest.raises(ScriptError) as caught:
        encode_result(result)
    assert caught.value.answer["message"] == f"the result holds {message}"
    assert caught.value.answer["kind"] == "result_not_json"


FAULTS = {
    "set": ({1}, "a value of type set"),
    "keys": ({2: 1, "2": 2}, 'two keys that are "2" in JSON'),
    "nan": (float("nan"), "nan"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_among_many_siblings_is_found_in_linear_time(fault: str) -> None:
    value, message = FAULTS[fault]
    many: list[Any] = [{str(n): n} for n in range(50_000)]
    many.append({"b": [value]})
    began = time.process_time()
    with pytest.raises(ScriptError, match=f"{message} at /50000/b/0"):
        encode_result(many)
    assert time.process_time() - began < 30


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_below_many_levels_is_found(fault: str) -> None:
    value: Any
    value, message = FAULTS[fault]
    for _ in range(100):
        value = {"a/b": [0, value]}
    with pytest.raises(ScriptError, match=message + " at " + "/a~1b/1" * 100):
        encode_result(value)


CHAINED = "try:\n    open('/missing/a')\nexcept OSError as error:\n    raise ValueError from error\n"


@pytest.mark.parametrize(
    ("script", "system"),
    [
        ("open('/missing/a')", {"code": "ENOENT", "syscall": "open", "path": "/missing/a"}),
        ("__import__('os').mkdir('/proc/a')", {"code": "ENOENT", "syscall": "mkdir", "path": "/proc/a"}),
        ("import os\nos.fchdir(\n    1000\n)", {"code": "EBADF"}),
        ("import os\nos.kill(\n    os.getpid(),\n    999,\n)", {"code": "EINVAL", "syscall": "kill"}),
        ("raise PermissionError(1, 'no')", {"code": "EPERM"}),
        ("raise PermissionError('no')", None),
        (
            "import pathlib\npathlib.Path('/missing').read_text()",
            {"code": "ENOENT", "syscall": "open", "path": "/missing"},
        ),
        ("import socket\nraise socket.gaierror(socket.EAI_AGAIN, 'no')", {"code": "EAI_AGAIN"}),
        (CHAINED, {"code": "ENOENT", "syscall": "open", "path": "/missing/a"}),
        (CHAINED.replace(" from error", ""), {"code": "ENOENT", "syscall": "open", "path": "/missing/a"}),
        (
            "import urllib.request\nurllib.request.urlopen('file:///missing')",
            {"code": "ENOENT", "path": "/missing"},
        ),
        ("open(b'/missing')", {"code": "ENOENT", "syscall": "open"}),
        (
            "error = KeyError()\nerror.__context__ = ValueError()\nerror.__context__.__cause__ = error\nraise error",
            None,
        ),
        ("[].pop()", None),
    ],
)
def test_what_the_system_refused_is_told(script: str, system: dict[str, str] | None) -> None:
    linecache.cache[SCRIPT_FILE] = (len(script), None, script.splitlines(keepends=True), SCRIPT_FILE)
    with pytest.raises((OSError, ValueError, LookupError)) as caught:
        exec(compile(script, SCRIPT_FILE, "exec"), {})
    assert script_error(caught.value).answer["system"] == system
