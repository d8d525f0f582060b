"""The reserve starts blank workers ahead, but not while a request waits for its answer."""

from collections.abc import Iterator

import gevent
import pytest

from runtime.errors import RuntimeUnavailable
from runtime.pool.reserve import ANSWER_SECONDS, Reserve
from tests.unit.runtime.process.puppet import Puppet


class Starter:
    """Starts puppets and keeps them; the next `refusals` calls fail."""

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


def test_a_taken_worker_was_started_ahead_and_is_given_once(
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


def test_a_slow_answer_does_not_delay_the_next_start(reserve: Reserve[Puppet], starter: Starter) -> None:
    reserve.take()
    with gevent.Timeout(ANSWER_SECONDS * 50):
        while len(starter.started) < 3:
            gevent.sleep(ANSWER_SECONDS / 10)


def test_a_full_reserve_starts_no_worker(reserve: Reserve[Puppet], starter: Starter) -> None:
    reserve.refill()
    gevent.idle()
    assert len(starter.started) == 2


def test_a_dead_worker_of_the_reserve_is_skipped(reserve: Reserve[Puppet], starter: Starter) -> None:
    dead, living = starter.started
    dead.kill()
    assert reserve.take() is living
    assert dead.closed


def test_an_empty_reserve_raises_when_it_cannot_start_a_worker(
    reserve: Reserve[Puppet], starter: Starter
) -> None:
    reserve.take()
    reserve.take()
    starter.refusals = 1
    with pytest.raises(RuntimeUnavailable):
        reserve.take()
    assert reserve.take().alive


def test_close_ends_the_workers_that_were_not_taken(starter: Starter) -> None:
    reserve = Reserve(starter, 2, rehearse)
    gevent.idle()
    taken = reserve.take()
    reserve.close()
    assert [worker.alive for worker in starter.started] == [True, False]
    assert taken.alive


def test_close_ends_a_worker_that_rehearses(starter: Starter) -> None:
    reserve = Reserve(starter, 1, lambda worker: gevent.sleep(60))
    gevent.idle()
    reserve.close()
    assert [worker.closed for worker in starter.started] == [True]


def test_a_worker_that_still_rehearses_is_not_given_out(starter: Starter) -> None:
    reserve = Reserve(starter, 1, lambda worker: gevent.sleep(60))
    gevent.idle()
    assert reserve.take() is not starter.started[0]
    reserve.close()
