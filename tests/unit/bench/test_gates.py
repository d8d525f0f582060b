"""Targets, and what became of them."""

import pytest

from bench.gates import GATES, Gate, verdicts
from bench.scenarios import GROUPS

LEAST = Gate("cached", "x yardstick", 6, least=True)
MOST = Gate("cached", "cpu controller", 150)


@pytest.mark.parametrize(
    ("gate", "runs", "reached"),
    [
        (LEAST, [1, 6, 9], True),
        (LEAST, [5.9, 5.9, 99], False),
        (MOST, [150, 150, 9000], True),
        (MOST, [1, 151, 151], False),
        (Gate("connections", "errors", 0), [0], True),
        (Gate("connections", "errors", 0), [1], False),
    ],
)
def test_the_median_decides(gate: Gate, runs: list[float], reached: bool) -> None:
    assert gate.verdict({gate.figure: runs}).reached is reached


def test_a_target_that_was_missed_says_by_how_much() -> None:
    assert (
        LEAST.verdict({"x yardstick": [3.0]}).text
        == "MISSED   cached: x yardstick >= 6: 3, by a factor of 2.00"
    )
    assert MOST.verdict({"cpu controller": [225.0]}).text.endswith("150: 225, by a factor of 1.50")
    assert Gate("connections", "errors", 0).verdict({"errors": [7]}).text.endswith("<= 0: 7")


def test_one_that_was_reached_says_where_it_stands() -> None:
    assert LEAST.verdict({"x yardstick": [9.5]}).text == "reached  cached: x yardstick >= 6: 9.5"


def test_only_what_was_run_has_verdicts() -> None:
    found = list(verdicts({"warm-rust": {"x yardstick": [2.5], "own ms": [1.0]}}))

    assert [(each.gate.scenario, each.gate.figure) for each in found] == [
        ("warm-rust", "x yardstick"),
        ("warm-rust", "own ms"),
    ]


def test_every_target_is_one_of_a_scenario() -> None:
    names = {scenario.name for group in GROUPS for scenario in group.scenarios}

    assert {gate.scenario for gate in GATES} <= names
