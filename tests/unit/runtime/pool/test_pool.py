"""The pool: which request gets a worker, which one waits, and which worker is ended."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import gevent
import pytest
from gevent.greenlet import Greenlet

from runtime.errors import RateLimited, RuntimeUnavailable
from runtime.pool.idle import Key
from runtime.pool.pool import Bounds, Pool
from tests.unit.runtime.process.puppet import Puppet
from tests.waiting import until_greenlets

A, B, C = (Key("t1", name, "") for name in "abc")
BOUNDS = Bounds(size=4, per_key=2, idle_bytes=1000, idle_ttl=60, queue_timeout=5, queue_max=10)


class Bench:
    """A pool of puppets, with requests that hold their worker until `release`."""

    def __init__(self, bounds: Bounds) -> None:
        self.started: list[Puppet] = []
        self.waits: list[float] = []
        self.served: list[str] = []
        self.refuses = False
        self.pool = Pool(self._start, bounds, self.waits.append)
        self._holding: dict[str, gevent.event.Event] = {}

    def request(
        self, name: str, key: Key, *, fresh: bool = False, loads: bool = True
    ) -> "Greenlet[..., Puppet]":
        """Start a request and let it run until it waits. The greenlet returns its worker."""
        self._holding[name] = gevent.event.Event()
        greenlet = gevent.spawn(self._serve, name, key, fresh, loads)
        gevent.idle()
        return greenlet

    def release(self, *names: str) -> None:
        """End the named requests, and let the waiting ones run until they wait again."""
        for name in names:
            self._holding[name].set()
            gevent.idle()

    def call(self, key: Key, *, resident_bytes: int = 0, **more: bool) -> Puppet:
        """Make a complete request and return its worker."""
        with self.pool.lease(key, **more) as worker:
            worker.loaded = True
            worker.resident_bytes = resident_bytes
        return worker

    def _start(self) -> Puppet:
        if self.refuses:
            raise RuntimeUnavailable("no process can be started")
        self.started.append(Puppet())
        return self.started[-1]

    def _serve(self, name: str, key: Key, fresh: bool, loads: bool) -> Puppet:
        with self.pool.lease(key, fresh=fresh) as worker:
            self.served.append(name)
            worker.loaded = loads
            self._holding[name].wait()
        return worker


@pytest.fixture
def bench() -> Iterator[Callable[..., Bench]]:
    with ExitStack() as stack:

        def make(**changes: float) -> Bench:
            made = Bench(replace(BOUNDS, **changes))  # type: ignore[arg-type]
            stack.callback(made.pool.close)
            return made

        yield make


Make = Callable[..., Bench]


def test_a_worker_serves_its_key_again_and_no_other(bench: Make) -> None:
    pool = bench()
    first, second, other = pool.call(A), pool.call(A), pool.call(B)
    assert first is second
    assert other is not first


def test_the_worker_used_last_is_taken_first(bench: Make) -> None:
    pool = bench()
    one, two = pool.request("one", A), pool.request("two", A)
    pool.release("two", "one")
    assert pool.call(A) is one.get()
    assert pool.call(A) is one.get()
    assert one.get() is not two.get()


def test_a_worker_is_suspended_between_calls(bench: Make) -> None:
    pool = bench()
    with pool.pool.lease(A) as worker:
        worker.loaded = True
        assert not worker.suspended
    assert worker.suspended
    with pool.pool.lease(A) as worker:
        assert not worker.suspended


@pytest.mark.parametrize("flaw", ["dead", "blank"])
def test_a_worker_that_died_or_did_not_load_is_not_kept(bench: Make, flaw: str) -> None:
    pool = bench()
    with pool.pool.lease(A) as worker:
        worker.loaded = flaw != "blank"
        worker.alive = flaw != "dead"
    gevent.idle()
    assert worker.closed
    assert pool.pool.counts() == {"idle": 0, "busy": 0, "waiting": 0}


def test_a_worker_that_died_while_idle_is_replaced(bench: Make) -> None:
    pool = bench()
    dead = pool.call(A)
    dead.kill()
    assert pool.call(A) is not dead
    gevent.idle()
    assert dead.closed
    assert pool.pool.counts()["idle"] == 1


def test_what_a_worker_leaves_that_died_while_idle_is_cleaned_up(bench: Make) -> None:
    pool = bench(idle_ttl=10)
    dead, alive = pool.call(A), pool.call(B)
    dead.kill()
    until_greenlets(lambda: dead.closed, "the clean-up")
    assert (pool.pool.counts()["idle"], alive.closed) == (1, False)
    assert pool.call(A) is not dead


def test_a_fresh_worker_serves_one_call_only(bench: Make) -> None:
    pool = bench()
    used = pool.call(A)
    fresh = [pool.call(A, fresh=True) for _ in range(2)]
    assert len({used, *fresh}) == 3
    assert all(not worker.alive for worker in fresh)
    assert pool.call(A) is used


def test_a_full_pool_ends_the_worker_idle_for_longest(bench: Make) -> None:
    pool = bench(size=2)
    oldest, newer = pool.call(A), pool.call(B)
    pool.call(C)
    assert [oldest.alive, newer.alive] == [False, True]


def test_idle_workers_stay_within_the_memory_bound(bench: Make) -> None:
    pool = bench(idle_bytes=1000)
    a, b = pool.call(A, resident_bytes=400), pool.call(B, resident_bytes=600)
    assert [a.alive, b.alive] == [True, True]
    pool.call(A, resident_bytes=400)  # used again, so b goes before it
    c = pool.call(C, resident_bytes=1)
    assert [a.alive, b.alive, c.alive] == [True, False, True]
    huge = pool.call(B, resident_bytes=1001)
    assert [worker.alive for worker in (a, c, huge)] == [False, False, False]
    assert pool.call(A, resident_bytes=1000).alive


def test_a_worker_that_is_idle_for_too_long_is_ended(bench: Make) -> None:
    pool = bench(idle_ttl=0.02)
    worker = pool.call(A)
    until_greenlets(lambda: not worker.alive, "it is ended")
    assert pool.pool.counts()["idle"] == 0


def test_a_request_waits_when_the_pool_is_full(bench: Make) -> None:
    pool = bench(size=1)
    pool.request("first", A)
    pool.request("second", B)
    assert pool.pool.counts() == {"idle": 0, "busy": 1, "waiting": 1}
    pool.release("first")
    assert pool.served == ["first", "second"]


def test_a_waiting_request_of_the_same_key_gets_the_warm_worker(bench: Make) -> None:
    pool = bench(size=1)
    first, second = pool.request("first", A), pool.request("second", A)
    pool.release("first", "second")
    assert first.get() is second.get()
    assert second.get().suspended


def test_a_fresh_request_does_not_get_a_warm_worker(bench: Make) -> None:
    pool = bench(size=1)
    first, second = pool.request("first", A), pool.request("second", A, fresh=True)
    pool.release("first", "second")
    assert first.get() is not second.get()


def test_a_key_at_its_limit_does_not_delay_other_keys(bench: Make) -> None:
    pool = bench(size=4, per_key=2)
    for name in ("a1", "a2", "a3", "a4"):
        pool.request(name, A)
    pool.request("b1", B)
    assert pool.served == ["a1", "a2", "b1"]
    pool.release("b1")
    assert pool.served == ["a1", "a2", "b1"]
    pool.release("a2")
    assert pool.served == ["a1", "a2", "b1", "a3"]


def test_fresh_runs_count_toward_the_limit_of_their_key(bench: Make) -> None:
    pool = bench(size=4, per_key=1)
    pool.request("fresh", A, fresh=True)
    pool.request("warm", A)
    assert pool.served == ["fresh"]
    pool.release("fresh")
    assert pool.served == ["fresh", "warm"]


def test_keys_take_turns_and_each_keeps_its_order(bench: Make) -> None:
    pool = bench(size=1, per_key=1)
    names = ["a1", "a2", "a3", "b1", "b2", "c1"]
    pool.request("first", C)
    for name in names:
        pool.request(name, {"a": A, "b": B, "c": C}[name[0]])
    pool.release("first", "a1", "b1", "c1", "a2", "b2", "a3")
    assert pool.served == ["first", "a1", "b1", "c1", "a2", "b2", "a3"]


def test_a_failed_worker_makes_room_for_a_waiting_request(bench: Make) -> None:
    pool = bench(size=1)
    pool.request("broken", A, loads=False)
    pool.request("next", A)
    pool.release("broken")
    assert pool.served == ["broken", "next"]


def test_a_wait_times_out_and_the_error_says_why(bench: Make) -> None:
    pool = bench(size=2, per_key=1, queue_timeout=0.01)
    pool.request("a", A)
    with pytest.raises(RateLimited, match="this script runs 1 times"):
        pool.call(A)
    pool.request("b", B)
    with pytest.raises(RateLimited, match="all workers"):
        pool.call(C)
    assert pool.pool.counts() == {"idle": 0, "busy": 2, "waiting": 0}


def test_a_full_queue_refuses_requests(bench: Make) -> None:
    pool = bench(size=1, queue_max=1)
    pool.request("first", A)
    pool.request("second", A)
    with pytest.raises(RateLimited, match="too many"):
        pool.call(B)
    assert pool.pool.counts()["waiting"] == 1


def test_a_request_that_gave_up_waiting_is_skipped(bench: Make) -> None:
    pool = bench(size=1)
    pool.request("first", A)
    gone = pool.request("gone", A)
    pool.request("last", A)
    gone.kill()
    pool.release("first")
    assert pool.served == ["first", "last"]


@pytest.mark.parametrize("key", [A, B], ids=["a worker", "a place"])
def test_a_grant_to_a_request_that_ends_goes_to_the_next_one(bench: Make, key: Key) -> None:
    pool = bench(size=1)
    with pool.pool.lease(A) as worker:
        worker.loaded = True
        gone = pool.request("gone", key)
        pool.request("last", A)
        gone.kill(block=False)
        # The end of the block grants it a worker after its kill was scheduled, and before it was delivered.
    gevent.idle()
    assert pool.served == ["last"]
    pool.release("last")
    assert pool.pool.counts() == {"idle": 1, "busy": 0, "waiting": 0}


def test_a_process_that_cannot_be_started_takes_no_room(bench: Make) -> None:
    pool = bench(size=1)
    pool.refuses = True
    with pytest.raises(RuntimeUnavailable):
        pool.call(A)
    pool.refuses = False
    assert pool.call(A).alive


def test_of_the_wanted_keys_the_worker_idle_for_longest_is_ended(bench: Make) -> None:
    pool = bench()
    first, second, busy = (Key("t1", name, "", "digest") for name in "abc")
    workers = [pool.call(key) for key in (first, A, second)]
    pool.request("busy", busy)
    alive = []
    for _ in range(3):
        pool.pool.end_idle(lambda key: key.environment == "digest")
        alive.append([worker.alive for worker in workers])
    assert alive == [[False, True, True], [False, True, False], [False, True, False]]
    assert pool.pool.counts() == {"idle": 1, "busy": 1, "waiting": 0}
    pool.release("busy")


def test_a_closed_pool_ends_its_workers(bench: Make) -> None:
    pool = bench()
    idle = pool.call(A)
    busy = pool.request("busy", B)
    pool.pool.close()
    assert not idle.alive
    pool.release("busy")
    assert not busy.get().alive
