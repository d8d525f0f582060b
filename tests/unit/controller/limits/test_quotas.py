"""Quotas on tables in memory: what counts, and what a user who is at a bound is told."""

from typing import cast

import pytest

from controller.errors import RateLimited
from controller.limits.quotas import HeldByUser, Quotas
from controller.models.registered import LanguageTitle
from tests.unit.controller.heart import HELLO, Process, Stores

SECOND = LanguageTitle("python", "second")


def quotas(stores: Stores, sessions_max: int, functions_max: int) -> Quotas:
    return Quotas(cast(HeldByUser, stores.postgres), sessions_max, functions_max)


def test_a_user_may_have_as_much_as_the_bound(one: Process, stores: Stores) -> None:
    one.begin()
    bounds = quotas(stores, 2, 2)
    bounds.check("alice", SECOND, registers=True)
    one.begin(name=SECOND)
    with pytest.raises(RateLimited, match="2 live sessions") as refused:
        bounds.check("alice", HELLO, registers=False)
    assert refused.value.headers() == {"Retry-After": "60"}
    bounds.check("bob", HELLO, registers=True)


def test_a_function_that_is_registered_again_needs_no_room(one: Process, stores: Stores) -> None:
    one.begin()
    bounds = quotas(stores, 0, 1)
    bounds.check("alice", HELLO, registers=True)
    bounds.check("alice", SECOND, registers=False)
    with pytest.raises(RateLimited, match="1 registered functions"):
        bounds.check("alice", SECOND, registers=True)


@pytest.mark.parametrize("registers", [False, True])
def test_without_bounds_nothing_is_asked(stores: Stores, registers: bool) -> None:
    quotas(stores, 0, 0).check("alice", HELLO, registers=registers)
    quotas(stores, 0, 1).check("alice", HELLO, registers=False)
    assert stores.postgres.asked == []


def test_while_postgres_is_away_no_request_is_refused(one: Process, stores: Stores) -> None:
    one.begin()
    stores.postgres.away = True
    quotas(stores, 1, 1).check("alice", SECOND, registers=True)
