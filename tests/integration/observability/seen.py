"""What was seen of a service under load: by its clients, by its log, and by Prometheus; and how the three compare."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass

import pytest

from tests.integration.observability.ledger import Ledger
from tests.integration.observability.prometheus import ALL, Api, Vector, promql

EVERYTHING = {"namespace": ALL, "language": ALL, "endpoint": ALL}
#: Rates are drawn out to the ends of their time, over which nothing was counted: by less than so much.
STRETCH = 1.2


@dataclass(frozen=True)
class Seen:
    """The round of load that was measured, and everything before it.

    Args:
        start: seconds since 1970; scraped after the rounds before, and before the measured one.
        end: the same, after it.
        ledger: the round in the eyes of its clients.
        total: all rounds in the eyes of clients.
        starts: its runs by language and start, from the log.
        log: the URL of the log of requests, for the account that Grafana reads it with.
    """

    api: Api
    start: float
    end: float
    ledger: Ledger
    total: Ledger
    starts: Counter[tuple[str, ...]]
    log: str

    @property
    def window(self) -> float:
        """Seconds of the round."""
        return self.end - self.start

    def now(self, expression: str, **choices: str) -> Vector:
        """What the panel's query answers at the end, with rates of the whole round."""
        return self.api.query(promql(expression, int(self.window * 1000), EVERYTHING | choices), self.end)

    def course(self, expression: str) -> dict[tuple[str, ...], list[float]]:
        """What it answers second by second, with rates of ten seconds."""
        return self.api.course(promql(expression, 10_000, EVERYTHING), self.start, self.end)


Check = Callable[[str, Seen], None]
"""Compares what a query answers with what was done."""
Expected = Callable[[Seen], Mapping[tuple[str, ...], float]]
Figure = Callable[[Seen], float]


def counts(expected: Expected, *, others: bool = False) -> Check:
    """Rates: times the seconds of the round they are what was counted, and nothing else was, unless `others`."""

    def check(expression: str, seen: Seen) -> None:
        increases = {key: rate * seen.window for key, rate in seen.now(expression).items()}
        wanted = {key: number for key, number in expected(seen).items() if number}
        found = {key for key, increase in increases.items() if increase > 0.5}
        assert wanted.keys() <= found and (others or found == wanted.keys()), (increases, wanted)
        for key, number in wanted.items():
            assert number * 0.99 <= increases[key] <= number * STRETCH, (key, number, increases[key])

    return check


def about(figure: Figure, allowance: float = 0.1) -> Check:
    """One value, give or take a tenth."""

    def check(expression: str, seen: Seen) -> None:
        (value,) = seen.now(expression).values()
        assert value == pytest.approx(figure(seen), rel=allowance, abs=1e-9)

    return check


def shares(expected: Expected) -> Check:
    """These series with these values, give or take a tenth."""

    def check(expression: str, seen: Seen) -> None:
        assert seen.now(expression) == pytest.approx(dict(expected(seen)), rel=0.1)

    return check


def exactly(expected: Expected) -> Check:
    """These series with these values at the end."""

    def check(expression: str, seen: Seen) -> None:
        assert seen.now(expression) == dict(expected(seen))

    return check


def between(low: float | Figure, high: float | Figure, keys: Set[tuple[str, ...]] | None = None) -> Check:
    """Every value at the end lies between those two; `keys` are the series that there have to be."""

    def check(expression: str, seen: Seen) -> None:
        least, most = (bound(seen) if callable(bound) else bound for bound in (low, high))
        values = seen.now(expression)
        assert values and (keys is None or values.keys() == keys), values
        for key, value in values.items():
            assert least <= value <= most, (key, least, value, most)

    return check


def peaks(expected: Mapping[tuple[str, ...], tuple[float, float]], last: float | None = None) -> Check:
    """The greatest value that each of these series has had lies between the two, and at the end it is `last`."""

    def check(expression: str, seen: Seen) -> None:
        courses = seen.course(expression)
        for key, (least, most) in expected.items():
            assert least <= max(courses[key]) <= most, (key, courses[key])
            assert last is None or courses[key][-1] == last, (key, courses[key])

    return check


def of_language(language: str, check: Check) -> Check:
    """The same with that language chosen: no other one is in the answer."""

    def narrowed(expression: str, seen: Seen) -> None:
        assert set(seen.now(expression, language=language)) <= {(language,)}
        check(expression.replace("$language", language), seen)

    return narrowed


def longest(share: float, *endpoints: str) -> Figure:
    """The time that so many of the clients waited at most, and a bucket of the histogram more."""

    def figure(seen: Seen) -> float:
        waited = sorted(
            seconds
            for endpoint, each in seen.ledger.seconds.items()
            if not endpoints or endpoint in endpoints
            for seconds in each
        )
        return 2.5 * waited[min(math.ceil(share * len(waited)), len(waited) - 1)]

    return figure
