"""Curves of known laws are told apart, and costs that grow too fast are missed targets."""

from collections.abc import Sequence
from math import log10, sqrt

import pytest

from bench.growth.axes import AXES
from bench.growth.run import CONTROL, Growth, excess, verdicts

AXIS = next(axis for axis in AXES if axis.name == "log-rows")
SIZES = (1, 100, 1_000, 10_000, 100_000)


def test_a_constant_cost_does_not_grow() -> None:
    assert excess([(size, 500.0) for size in SIZES]) == pytest.approx(1)


def test_a_logarithmic_cost_follows_its_law() -> None:
    assert excess([(size, 500 + 50 * log10(size)) for size in SIZES]) == pytest.approx(1)


@pytest.mark.parametrize("part", [0.005, 0.1, 1])
def test_a_linear_part_shows_as_excess(part: float) -> None:
    assert excess([(size, 500 + part * size) for size in SIZES]) > 1.7


def test_the_root_of_the_size_is_too_much() -> None:
    assert excess([(size, 500 + 10 * sqrt(size)) for size in SIZES]) > 1.7


def test_a_falling_cost_predicts_no_further_fall() -> None:
    assert excess([(1, 600.0), (100, 500.0), (10_000, 500.0)]) < 1


def test_size_zero_counts_as_one() -> None:
    assert excess([(0, 500.0), (10, 550.0), (100, 600.0)]) == pytest.approx(1)


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

    assert all(verdict.reached for verdict in verdicts(AXIS, steady))
    missed = [verdict.text for verdict in verdicts(AXIS, steep) if not verdict.reached]
    assert len(missed) == len(AXIS.series)
    assert all("excess" in text for text in missed)


def test_an_error_is_a_miss() -> None:
    missed = [each for each in verdicts(AXIS, growth([1, 1, 1], [1, 1, 1], errors=1)) if not each.reached]

    assert [each.gate.figure for each in missed] == ["errors"] * len(AXIS.series)


def test_sizes_are_left_out_above_the_largest_but_for_two() -> None:
    assert AXIS.up_to(100_000) == [0, 10_000, 100_000]
    assert AXIS.up_to(1) == [0, 10_000]
