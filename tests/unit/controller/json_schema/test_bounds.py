"""Hostile schemas and values: each check ends after a bounded number of steps, and pauses in between."""

import json
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import gevent
import pytest

from controller.errors import InvalidParams
from controller.json_schema.checks import CHECK_STEPS, COMPILE_STEPS, check_params
from controller.json_schema.compiler import DIALECT, compiled
from controller.json_schema.values import counted
from controller.json_schema.work import SLICE, OutOfSteps, Work, charge

#: The most that one keyword may take at a time, in steps: a search in the longest text of these tests.
ONE_KEYWORD = 60_000
#: A bound for hostile checks, so that these tests are fast.
FEW_STEPS = 200_000


class Counted(Work):
    """Work that tells the most steps between two pauses."""

    __slots__ = ("longest", "since")

    def __init__(self, bound: int) -> None:
        super().__init__(bound)
        self.longest = self.since = 0

    def pause(self) -> None:
        self.longest = max(self.longest, self.taken - self.since)
        super().pause()
        self.since = self.taken


def checked(schema: Any, value: Any, bound: int = CHECK_STEPS) -> tuple[bool | None, Counted]:
    """Whether the value holds, None for a check that reached its bound, and its work."""
    with Work(COMPILE_STEPS):
        validator = compiled(schema)
    holds = None
    with Counted(bound) as work, suppress(OutOfSteps, RecursionError):
        holds = validator.is_valid(counted(value))
    assert work.longest <= SLICE + ONE_KEYWORD
    assert work.taken <= bound + ONE_KEYWORD
    return holds, work


def deep(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels):
        value = {"x": value}
    return value


def letters(length: int) -> str:
    return "".join(random.Random(length).choices("ab", k=length))


FULL = {f"r{n}": 1 for n in range(5000)}
TWICE = {"properties": {"x": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        pytest.param(TWICE, deep(90), id="doubled recursion"),
        pytest.param({**TWICE, "unevaluatedProperties": False}, deep(90), id="evaluated again at each level"),
        pytest.param(
            {"items": {"anyOf": [{"minLength": 999 - n} for n in range(999)]}},
            ["x"] * 2000,
            id="many alternatives",
        ),
        pytest.param(
            {"items": {"required": [f"r{n}" for n in range(5000)]}}, [FULL] * 1000, id="many names"
        ),
        pytest.param({"items": {"not": {"pattern": "[ab]*a[ab]{900}c"}}}, [letters(500)] * 999, id="a slow pattern"),
        pytest.param(
            {"patternProperties": {f"(x+x+)+y{n}": {} for n in range(90)}, "additionalProperties": False},
            {"x" * 20 + str(n): 1 for n in range(9000)},
            id="patterns by properties",
        ),
        pytest.param(
            {"contains": {"contains": {"contains": {"const": 1}}}}, [[[2] * 99] * 99] * 99, id="contains"
        ),
        pytest.param(
            {"allOf": [{"unevaluatedProperties": {"type": "integer"}}] * 999},
            {f"p{n}": 1 for n in range(2000)},
            id="unevaluated properties",
        ),
        pytest.param(
            {"allOf": [{"uniqueItems": True}] * 99}, list(range(20_000)), id="equal values sought again"
        ),
        pytest.param(
            {"items": {"allOf": [{"not": {"enum": [[n], "x"]}} for n in range(99)]}},
            [[0] * 99] * 4000,
            id="large values compared",
        ),
        pytest.param(
            {"items": {"allOf": [{"not": {"multipleOf": int("7" * 2000)}}] * 20}},
            [10**4000] * 999,
            id="huge divisions"
        ),
        pytest.param(
            {"$defs": {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(10)} | {"a10": True},
             "items": {"$ref": "#/$defs/a0"}},
            [1] * 1000,
            id="doubled references",
        ),
    ],
)  # fmt: skip
def test_a_check_that_takes_too_long_ends(schema: Any, value: Any) -> None:
    holds, work = checked(schema, value, FEW_STEPS)
    assert holds is None
    assert work.taken > FEW_STEPS


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        # Python's hashes of these integers are all 0.
        pytest.param({"uniqueItems": True}, [n * (2**61 - 1) for n in range(20_000)], id="equal hashes"),
        pytest.param({"items": {"enum": [[n] for n in range(500)]}}, [[n] for n in range(500)], id="enum"),
        pytest.param({"items": {"const": "x" * 200_000}}, ["x" * 200_000] * 9, id="const"),
        pytest.param({"pattern": "^[A-Za-z0-9+/]*=*$"}, "A" * (1 << 16), id="a long text"),
        pytest.param({"items": {"type": "integer", "minimum": 0}}, [1] * 30_000, id="a long array"),
        pytest.param({"oneOf": [{"minimum": n} for n in range(1, 2000)]}, 1, id="oneOf"),
        pytest.param({"items": {"multipleOf": 7}}, [7 * 10**4000] * 500, id="large integers"),
        pytest.param(TWICE, deep(10), id="a little doubled recursion"),
    ],
)
def test_large_values_that_hold_are_accepted(schema: Any, value: Any) -> None:
    assert checked(schema, value)[0] is True


def test_a_value_that_is_too_deep_for_the_stack_reaches_the_bound() -> None:
    chain: dict[str, Any] = {"properties": {"x": {"$ref": "#"}}}
    for _ in range(30):
        chain = {"allOf": [chain]}
    with pytest.raises(InvalidParams, match="reached its bound"):
        check_params(json.dumps(chain), deep(95))


def test_the_dialect_of_a_schema_does_not_bring_back_the_unbounded_validator() -> None:
    holds, work = checked({"$schema": DIALECT, "$id": "https://x.example/s", **TWICE}, deep(8))
    assert holds
    assert work.taken > 2**8


def test_a_schema_that_takes_too_long_to_compile_is_refused() -> None:
    with Counted(COMPILE_STEPS) as work, pytest.raises(OutOfSteps):
        compiled({"anyOf": [{}] * 60_000})
    assert COMPILE_STEPS < work.taken <= COMPILE_STEPS + ONE_KEYWORD
    assert work.longest <= SLICE + ONE_KEYWORD


def rounds_beside(check: Callable[[], None]) -> int:
    """Return how many turns another greenlet gets while a check runs."""
    rounds = 0

    def other() -> None:
        nonlocal rounds
        while True:
            gevent.sleep(0.0001)
            rounds += 1

    running = gevent.spawn(other)
    try:
        check()
    finally:
        running.kill()
    return rounds


def test_others_run_while_a_check_is_long() -> None:
    def check() -> None:
        assert checked(TWICE, deep(90), FEW_STEPS)[0] is None

    # The event loop ran after each slice.
    assert rounds_beside(check) >= FEW_STEPS // (SLICE + ONE_KEYWORD)


def test_long_checks_take_turns_and_give_them_back() -> None:
    ended: list[str] = []

    def long(name: str, bound: int) -> None:
        with Work(bound), pytest.raises(OutOfSteps):
            while True:
                charge(SLICE)
        ended.append(name)

    first, second = gevent.spawn(long, "first", 20 * SLICE), gevent.spawn(long, "second", 5 * SLICE)
    gevent.joinall([first, second], timeout=30)
    assert ended == ["first", "second"]


def test_a_killed_check_gives_its_turn_back() -> None:
    def endless() -> None:
        with Work(1 << 60):
            while True:
                charge(SLICE)

    killed = gevent.spawn(endless)
    gevent.sleep(0.01)
    killed.kill()
    with gevent.Timeout(30), Work(5 * SLICE):
        charge(2 * SLICE)


def test_a_long_search_leaves_the_event_loop() -> None:
    def check() -> None:
        assert checked({"pattern": "[ab]*a[ab]{400}c"}, letters(2500))[0] is False

    assert rounds_beside(check) > 1
