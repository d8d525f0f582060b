"""Blank workers are there before they are needed, and are not started while somebody waits for an answer."""

from collections.abc import Iterator

import gevent
import pytest

from runtime.errors import RuntimeUnavailable
from runtime.pool.reserve import PATIENCE, Reserve
from tests.unit.runtime.process.puppet import Puppet


class Starter:
    """Starts puppets and counts them; refuses as often as it is told to."""

    def __init__(self) -> None:
        self.started: list[Puppet] = []
        self.refusals = 0

    def __call__(self) -> Puppet:
        if self.refusals:
            self.refusals -= 1
            raise RuntimeUnavailable("no process can be started")
        self.started.append(Puppet())
        return self.started[-1]


def rehearse(worker: Puppet) -> None:
    worker.rehearsed = True


@pytest.fixture
def starter() -> Starter:
    return Starter()


@pytest.fixture
def reserve(starter: Starter) -> Iterator[Reserve[Puppet]]:
    """Two workers, started."""
    made = Reserve(starter, 2, rehearse)
    gevent.idle()
    yield made
    made.close()


def test_what_is_taken_was_started_before_and_is_given_once(
    reserve: Reserve[Puppet], starter: Starter
) -> None:
    ahead = list(starter.started)
    assert len(ahead) == 2
    assert all(worker.rehearsed for worker in ahead)
    assert [reserve.take(), reserve.take()] == ahead
    assert reserve.take() not in ahead


def test_the_next_one_is_started_after_the_answer(reserve: Reserve[Puppet], starter: Starter) -> None:
    reserve.take()
    gevent.idle()
    assert len(starter.started) == 2
    reserve.refill()
    gevent.idle()
    assert len(starter.started) == 3


def test_an_answer_that_takes_long_is_not_waited_for(reserve: Reserve[Puppet], starter: Starter) -> None:
    reserve.take()
    with gevent.Timeout(PATIENCE * 50):
        while len(starter.started) < 3:
            gevent.sleep(PATIENCE / 10)


def test_a_full_reserve_is_left_alone(reserve: Reserve[Puppet], starter: Starter) -> None:
    reserve.refill()
    gevent.idle()
    assert len(starter.started) == 2


def test_one_that_died_meanwhile_is_passed_over(reserve: Reserve[Puppet], starter: Starter) -> None:
    dead, living = starter.started
    dead.kill()
    assert reserve.take() is living
    assert dead.closed


def test_an_empty_reserve_says_why_it_cannot_start_one(reserve: Reserve[Puppet], starter: Starter) -> None:
    reserve.take()
    reserve.take()
    starter.refusals = 1
    with pytest.raises(RuntimeUnavailable):
        reserve.take()
    assert reserve.take().alive


def test_closed_it_ends_those_that_nobody_took(starter: Starter) -> None:
    reserve = Reserve(starter, 2, rehearse)
    gevent.idle()
    taken = reserve.take()
    reserve.close()
    assert [worker.alive for worker in starter.started] == [True, False]
    assert taken.alive


def test_closed_it_ends_the_one_that_rehearses(starter: Starter) -> None:
    reserve = Reserve(starter, 1, lambda worker: gevent.sleep(60))
    gevent.idle()
    reserve.close()
    assert [worker.closed for worker in starter.started] == [True]


def test_nobody_is_given_one_that_still_rehearses(starter: Starter) -> None:
    reserve = Reserve(starter, 1, lambda worker: gevent.sleep(60))
    gevent.idle()
    assert reserve.take() is not starter.started[0]
    reserve.close()
