"""What a curve of costs tells: how steep it is, and whether its end is above what its beginning foretells."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log10
from statistics import linear_regression, mean

Points = Sequence[tuple[float, float]]
"""Sizes, the smallest first, each with its cost."""


@dataclass(frozen=True)
class Fit:
    """A curve's figures."""

    exponent: float
    """Of the power of the size that comes closest: 0: the cost is constant, 1: it is proportional."""
    per_decade: float
    """What ten times the size adds, as a share of the cost of the smallest."""
    excess: float
    """The cost of the largest, as a multiple of what a law through all the others foretells."""


def fitted(points: Points, *, linear: bool = False) -> Fit:
    """The figures of a curve of at least two points.

    The law of the excess is a + b log(size), neither of them negative; or a + b size where the cost may be linear.
    A cost that grows faster than its law does is above the law's line at the end, whatever a and b are.
    """
    return Fit(
        exponent=_slope([(log10(_size(x)), log10(max(y, 1e-9))) for x, y in points]),
        per_decade=_slope([(log10(_size(x)), y) for x, y in points]) / points[0][1] if points[0][1] else 0.0,
        excess=_excess(points, _size if linear else _logarithm),
    )


def _excess(points: Points, law: Callable[[float], float]) -> float:
    *known, (largest, cost) = [(law(x), y) for x, y in points]
    slope = max(_slope(known), 0.0)
    foretold = mean(y for _, y in known) + slope * (largest - mean(x for x, _ in known))
    return cost / foretold if foretold else 1.0


def _slope(points: Points) -> float:
    return linear_regression(*zip(*points, strict=True)).slope if len(points) > 1 else 0.0


def _size(size: float) -> float:
    """None of a thing costs what one does: no curve has a logarithm of 0."""
    return max(size, 1.0)


def _logarithm(size: float) -> float:
    return log10(_size(size))
