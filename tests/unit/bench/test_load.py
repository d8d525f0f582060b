"""What clients of our own saw, as figures."""

import pytest

from bench.load import Tally, quantile


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1.0), (0.5, 51.0), (0.95, 96.0), (0.99, 100.0), (1.0, 100.0)]
)
def test_a_quantile_is_one_of_the_values(share: float, expected: float) -> None:
    assert quantile([float(n) for n in range(1, 101)], share) == expected


def test_of_nothing_there_is_no_quantile() -> None:
    assert quantile([], 0.5) == 0.0


def test_a_tally_counts_every_request_and_times_the_good_ones() -> None:
    tally = Tally(took=[3.0, 1.0, 2.0], refused=4, wrong=5, broken=6)

    load = tally.load(2.0, extra=7.0)

    assert (load.requests, load.seconds) == (18, 2.0)
    assert (load.refused, load.wrong, load.broken) == (4, 5, 6)
    assert (load.p50, load.p95, load.p99) == (2.0, 3.0, 3.0)
    assert load.more == {"extra": 7.0}
