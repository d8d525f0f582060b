"""Curves of known laws are told apart."""

from math import log10, sqrt

import pytest

from bench.growth.fit import fitted

SIZES = (1, 100, 1_000, 10_000, 100_000)


def test_a_constant_cost_does_not_grow() -> None:
    fit = fitted([(size, 500.0) for size in SIZES])
    assert (fit.exponent, fit.per_decade, fit.excess) == pytest.approx((0, 0, 1))


def test_a_logarithmic_cost_follows_its_law() -> None:
    fit = fitted([(size, 500 + 50 * log10(size)) for size in SIZES])
    assert (fit.per_decade, fit.excess) == pytest.approx((0.1, 1))


@pytest.mark.parametrize("part", [0.005, 0.1, 1])
def test_a_linear_part_shows_as_excess(part: float) -> None:
    assert fitted([(size, 500 + part * size) for size in SIZES]).excess > 1.7


def test_the_root_of_the_size_is_too_much() -> None:
    assert fitted([(size, 500 + 10 * sqrt(size)) for size in SIZES]).excess > 1.7


def test_a_line_is_no_excess_where_it_is_allowed() -> None:
    points = [(size, 500 + 0.5 * size) for size in SIZES]
    assert fitted(points, linear=True).excess == pytest.approx(1)
    assert fitted([(size, 500 + 1e-4 * size**2) for size in SIZES], linear=True).excess > 1.7


def test_a_cost_that_falls_foretells_no_fall() -> None:
    assert fitted([(1, 600.0), (100, 500.0), (10_000, 500.0)]).excess < 1


def test_nothing_at_all_counts_as_one() -> None:
    assert fitted([(0, 500.0), (10, 550.0), (100, 600.0)]).excess == pytest.approx(1)


def test_the_exponent_is_that_of_a_power() -> None:
    assert fitted([(size, 3 * size**0.5) for size in SIZES]).exponent == pytest.approx(0.5)
