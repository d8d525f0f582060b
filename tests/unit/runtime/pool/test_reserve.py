"""The reserve starts blank workers ahead, but not while a request waits for its answer."""

from collections.abc import Iterator
from typing import Any

import gevent
import pytest

from runtime.errors import RuntimeUnavailable
from runtime.pool.reserve import ANSWER_SECONDS, WINDOW, Reserve
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


def kept(starter: Starter, most: int = 2, seconds: float = 60, **more: Any) -> Reserve[Puppet]:
    return Reserve(starter, most, seconds, **{"rehearse": rehearse} | more)


@pytest.fixture
def reserve(starter: Starter) -> Iterator[Reserve[Puppet]]:
    """Two workers, started after two were taken."""
    made = kept(starter)
    taken = [made.take(), made.take()]
    made.refill()
    gevent.idle()
    for worker in taken:
        starter.started.remove(worker)
    yield made
    made.close()


def test_none_is_started_before_one_is_asked_for(starter: Starter) -> None:
    reserve = kept(starter)
    gevent.idle()
    assert starter.started == []
    reserve.expect()
    gevent.idle()
    assert [reserve.take()] == starter.started
    reserve.close()


def test_as_many_are_kept_as_were_taken_lately_and_none_at_rest(
    starter: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("runtime.pool.reserve.monotonic", lambda: now[0])
    reserve = kept(starter, most=3, seconds=0.1 + WINDOW)
    for number in range(5):
        reserve.take()
        reserve.refill()
        gevent.idle()
        assert len(reserve) == min(number + 1, 3)
    for later, left in ((WINDOW, 1), (1, 0)):
        now[0] += later
        with gevent.Timeout(60):
            while len(reserve) != left:
                gevent.sleep(0.01)
    assert sum(worker.closed for worker in starter.started) == 3
    reserve.close()


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
    reserve = kept(starter)
    reserve.expect()
    gevent.idle()
    taken = reserve.take()
    reserve.refill()
    gevent.idle()
    reserve.close()
    assert [worker.alive for worker in starter.started] == [True, False]
    assert taken.alive


def test_close_ends_a_worker_that_rehearses(starter: Starter) -> None:
    reserve = kept(starter, 1, rehearse=lambda worker: gevent.sleep(60))
    reserve.expect()
    gevent.idle()
    reserve.close()
    assert [worker.closed for worker in starter.started] == [True]


def test_a_worker_that_still_rehearses_is_not_given_out(starter: Starter) -> None:
    reserve = kept(starter, 1, rehearse=lambda worker: gevent.sleep(60))
    reserve.expect()
    gevent.idle()
    assert reserve.take() is not starter.started[0]
    reserve.close()
