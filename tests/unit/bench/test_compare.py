"""The arithmetic of a comparison."""

from collections.abc import Sequence
from math import inf

import pytest

from bench.compare import LEAST, MISSED, Row, ratios, table


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
    line = list(table([row([100, 90, 300], [110, 99, 330], [110, 99, 330])], 1.03))[1]

    assert line.split() == ["cached", "controller", "100.0", "110.0", "1.100", "0.000", MISSED]
