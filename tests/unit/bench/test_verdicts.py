"""What is made of figures: comparisons, targets, and curves of growth."""

from collections.abc import Sequence
from math import inf, log10, sqrt

import pytest

from bench.compare import LEAST, MISSED, Row, ratios
from bench.compare import table as compared
from bench.growth import AXES, CONTROL, Growth, excess
from bench.growth import verdicts as growth_verdicts
from bench.scenarios import GROUPS
from bench.table import GATES, Gate, verdicts


def row(base: Sequence[float], new: Sequence[float], same: Sequence[float]) -> Row:
    return Row("cached", "controller", base, new, same)


def test_ratios_are_those_of_the_rounds() -> None:
    assert ratios([2, 3, 0, 1], [1, 2, 0, 0]) == [2, 1.5, 1, inf]


def test_the_median_of_the_ratios_counts_and_not_the_ratio_of_the_medians() -> None:
    # The machine was slow in the last two rounds, for all.
    assert row([100, 200, 300], [110, 210, 300], [110, 210, 300]).ratio == pytest.approx(1.05)


@pytest.mark.parametrize(
    ("same", "spread"),
    [([100, 100, 100], 0.0), ([102, 102, 102], 0.02), ([98, 104, 103], 0.03), ([90, 100, 100], 0.0)],
)
def test_the_spread_is_the_usual_difference_of_the_same_state(same: list[float], spread: float) -> None:
    assert row([100] * 3, [100] * 3, same).spread == pytest.approx(spread)


@pytest.mark.parametrize(
    ("new", "same", "verdict"),
    [
        (102.9, 102.9, "ok"),
        (103, 103, MISSED),
        (104, 106.08, "ok"),
        (106, 108.12, MISSED),
        (50, 50, "ok"),
    ],
)
def test_the_bound_is_widened_by_the_spread(new: float, same: float, verdict: str) -> None:
    assert row([100.0], [new], [same]).verdict(1.03) == verdict


def test_work_that_does_more_may_cost_more() -> None:
    assert Row("by-name", "all", [100.0], [104.9], [104.9], extra=0.02).verdict(1.03) == "ok"
    assert Row("by-name", "all", [100.0], [105.1], [105.1], extra=0.02).verdict(1.03) == MISSED


def test_a_process_with_next_to_no_work_is_not_judged() -> None:
    assert row([LEAST - 1], [LEAST - 1], [LEAST - 1]).verdict(0.5) == "too little to judge"


def test_new_work_of_an_idle_process_is_judged() -> None:
    assert row([0], [LEAST], [LEAST]).verdict(1.03) == MISSED


def test_the_table_has_medians_ratio_and_verdict() -> None:
    line = list(compared([row([100, 90, 300], [110, 99, 330], [110, 99, 330])], 1.03))[1]

    assert line.split() == ["cached", "controller", "100.0", "110.0", "1.100", "0.000", MISSED]


FLOOR = Gate("cached", "x yardstick", 6, least=True)
CEILING = Gate("cached", "cpu controller", 150)


@pytest.mark.parametrize(
    ("gate", "runs", "reached"),
    [
        (FLOOR, [1, 6, 9], True),
        (FLOOR, [5.9, 5.9, 99], False),
        (CEILING, [150, 150, 9000], True),
        (CEILING, [1, 151, 151], False),
        (Gate("connections", "errors", 0), [0], True),
        (Gate("connections", "errors", 0), [1], False),
    ],
)
def test_the_median_decides(gate: Gate, runs: list[float], reached: bool) -> None:
    assert gate.verdict({gate.figure: runs}).reached is reached


def test_a_target_that_was_missed_says_by_how_much() -> None:
    assert (
        FLOOR.verdict({"x yardstick": [3.0]}).text
        == "MISSED   cached: x yardstick >= 6: 3, by a factor of 2.00"
    )
    assert CEILING.verdict({"cpu controller": [225.0]}).text.endswith("150: 225, by a factor of 1.50")
    assert Gate("connections", "errors", 0).verdict({"errors": [7]}).text.endswith("<= 0: 7")


def test_one_that_was_reached_says_where_it_stands() -> None:
    assert FLOOR.verdict({"x yardstick": [9.5]}).text == "reached  cached: x yardstick >= 6: 9.5"


def test_only_what_was_run_has_verdicts() -> None:
    found = list(verdicts({"warm-rust": {"x yardstick": [2.5], "own ms": [1.0]}}))

    assert [(each.gate.scenario, each.gate.figure) for each in found] == [
        ("warm-rust", "x yardstick"),
        ("warm-rust", "own ms"),
    ]


def test_every_target_is_one_of_a_scenario() -> None:
    names = {scenario.name for group in GROUPS for scenario in group.scenarios}

    assert {gate.scenario for gate in GATES} <= names


AXIS = next(axis for axis in AXES if axis.name == "log-rows")
SIZES = (1, 100, 1_000, 10_000, 100_000)


@pytest.mark.parametrize(
    ("costs", "least", "most"),
    [
        ([(size, 500.0) for size in SIZES], 1, 1),
        ([(size, 500 + 50 * log10(size)) for size in SIZES], 1, 1),
        ([(0, 500.0), (10, 550.0), (100, 600.0)], 1, 1),
        *(([(size, 500 + part * size) for size in SIZES], 1.7, inf) for part in (0.005, 0.1, 1)),
        ([(size, 500 + 10 * sqrt(size)) for size in SIZES], 1.7, inf),
        # A falling cost predicts no further fall.
        ([(1, 600.0), (100, 500.0), (10_000, 500.0)], 0, 0.99),
    ],
)
def test_a_cost_that_grows_faster_than_the_logarithm_shows_as_excess(
    costs: list[tuple[int, float]], least: float, most: float
) -> None:
    assert least - 1e-9 <= excess(costs) <= most + 1e-9


def growth(costs: Sequence[float], control: Sequence[float], errors: float = 0.0) -> Growth:
    """Figures of the axis of log rows; every series has the same."""
    return {
        size: {
            CONTROL.title: {"cpu constant": [unit]},
            **{
                each.title: {"errors": [errors], **{key: [cost] for key in each.judged}}
                for each in AXIS.series
            },
        }
        for size, cost, unit in zip((0, 10, 100), costs, control, strict=True)
    }


def test_costs_are_judged_in_units_of_the_control() -> None:
    steady = growth([10, 20, 20], [10, 20, 20])
    steep = growth([10, 20, 200], [10, 20, 20])

    assert all(verdict.reached for verdict in growth_verdicts(AXIS, steady))
    missed = [verdict.text for verdict in growth_verdicts(AXIS, steep) if not verdict.reached]
    assert len(missed) == len(AXIS.series)
    assert all("excess" in text for text in missed)


def test_an_error_is_a_miss() -> None:
    missed = [
        each for each in growth_verdicts(AXIS, growth([1, 1, 1], [1, 1, 1], errors=1)) if not each.reached
    ]

    assert [each.gate.figure for each in missed] == ["errors"] * len(AXIS.series)


def test_sizes_are_left_out_above_the_largest_but_for_two() -> None:
    assert AXIS.up_to(100_000) == [0, 10_000, 100_000]
    assert AXIS.up_to(1) == [0, 10_000]
