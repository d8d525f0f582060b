"""The pool of warm workers: lends them to requests, queues requests, and ends idle workers.

A worker belongs to one key for its whole life: two keys never share a process. All code here runs in gevent's one
thread, so a method is atomic up to the point where it starts or ends a process. The invariant at all those points: no
request waits that could be served.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Generic

import gevent
from gevent.event import Event

from runtime.deadlines import Deadlines
from runtime.errors import RateLimited
from runtime.pool.idle import IdleWorkers, Key, W
from runtime.pool.waiting import Waiter, WaitQueue


@dataclass(frozen=True)
class Bounds:
    """The limits of a pool."""

    #: Most workers, idle and busy together.
    size: int
    #: Most busy workers of one key.
    per_key: int
    #: Most memory of all idle workers.
    idle_bytes: int
    #: Seconds after which an idle worker is ended.
    idle_ttl: float
    #: Seconds that a request waits for a worker.
    queue_timeout: float
    #: Most requests that wait.
    queue_max: int


class Lease(Generic[W]):
    """A worker for the time of a `with` block, see `Pool.lease`. A generator would take three times as long."""

    __slots__ = ("_fresh", "_key", "_pool", "_worker")

    def __init__(self, pool: "Pool[W]", key: Key, fresh: bool) -> None:
        self._pool = pool
        self._key = key
        self._fresh = fresh

    def __enter__(self) -> W:
        self._worker = self._pool.take(self._key, fresh=self._fresh)
        return self._worker

    def __exit__(self, *_: object) -> None:
        self._pool.put_back(self._key, self._worker, keep=not self._fresh)


class Pool(Generic[W]):
    """Lends workers within its bounds.

    Args:
        start: Starts a worker.
        bounds: The limits of the pool.
        waited: Called with the seconds that a request has waited for a worker, for each request.
    """

    def __init__(self, start: Callable[[], W], bounds: Bounds, waited: Callable[[float], object]) -> None:
        self._start = start
        self._waited = waited
        self._bounds = bounds
        self._idle: IdleWorkers[W] = IdleWorkers()
        self._queue: WaitQueue[W] = WaitQueue()
        self._wait_deadlines: Deadlines[Waiter[W]] = Deadlines(self._refuse)
        self._busy: dict[Key, int] = {}
        self._busy_in_all = 0
        self._closed = Event()
        self._sweeper = gevent.spawn(self._sweep)

    def lease(self, key: Key, *, fresh: bool = False) -> Lease[W]:
        """Lend a worker of the key for the time of a `with` block: an idle one, else a new one without a script.

        A worker that has died or holds no script is not kept after the block.

        Args:
            key: What the worker belongs to.
            fresh: Whether to start a new worker in any case, and to end it with the block.

        Raises:
            RateLimited: No worker was free in time.
            RuntimeUnavailable: No worker can be started.
        """
        return Lease(self, key, fresh)

    def take(self, key: Key, *, fresh: bool) -> W:
        """Begin a lease, see `lease`."""
        if self._has_room() and self._key_has_room(key):
            self._waited(0.0)
            worker = self._acquire(key, fresh)
        else:
            worker = self._wait(key, fresh)
        if worker is not None:
            return worker
        try:
            return self._start()
        except BaseException:
            self._give_back(key, None)
            raise

    def put_back(self, key: Key, worker: W, *, keep: bool) -> None:
        """End a lease. `keep` is whether the worker may serve other requests."""
        if keep and worker.alive and worker.loaded and not self._closed.is_set():
            self._give_back(key, worker)
        else:
            _end(worker)
            self._give_back(key, None)

    def keeps(self, key: Key) -> bool:
        """Return whether there is an idle worker of the key."""
        return self._idle.has(key)

    def counts(self) -> dict[str, int]:
        """Return the numbers of `idle` and `busy` workers and of `waiting` requests."""
        return {"idle": len(self._idle), "busy": self._busy_in_all, "waiting": len(self._queue)}

    def end_idle(self, wanted: Callable[[Key], bool]) -> None:
        """End the worker that has been idle for longest of those with a wanted key, if there is one."""
        if worker := self._idle.take_oldest_of(wanted):
            _end(worker)

    def close(self) -> None:
        """End the idle workers now, and the busy ones when they are given back."""
        self._closed.set()
        self._sweeper.join()
        while self._idle:
            _end(self._idle.take_oldest())

    def _has_room(self) -> bool:
        """Return whether one more worker can be busy, if necessary in the place of an idle one."""
        return self._busy_in_all < self._bounds.size

    def _key_has_room(self, key: Key) -> bool:
        return self._busy.get(key, 0) < self._bounds.per_key

    def _acquire(self, key: Key, fresh: bool) -> W | None:
        """Return an idle worker of the key, or None: the caller may start one."""
        worker = None if fresh else self._take_idle(key)
        if worker is None and self._busy_in_all + len(self._idle) >= self._bounds.size:
            _end(self._idle.take_oldest())
        self._busy[key] = self._busy.get(key, 0) + 1
        self._busy_in_all += 1
        return worker

    def _take_idle(self, key: Key) -> W | None:
        """Return the idle worker of the key that was used last. Close the dead ones found on the way."""
        while worker := self._idle.take(key):
            if worker.alive:
                worker.resume()
                return worker
            _end(worker)
        return None

    def _wait(self, key: Key, fresh: bool) -> W | None:
        if len(self._queue) >= self._bounds.queue_max:
            raise RateLimited("too many requests wait for a worker of this runtime")
        waiter: Waiter[W] = Waiter(key, fresh=fresh)
        self._queue.add(waiter)
        self._wait_deadlines.add(waiter, self._bounds.queue_timeout)
        since = perf_counter()
        try:
            return waiter.granted.get()
        except BaseException:
            if waiter.granted.successful():
                # It was granted just before the error: the next request gets it.
                self._give_back(key, waiter.granted.value)
            else:
                self._queue.remove(waiter)
            raise
        finally:
            self._wait_deadlines.discard(waiter)
            self._waited(perf_counter() - since)

    def _refuse(self, waiter: Waiter[W]) -> None:
        """Fail a request that has waited for too long."""
        if self._queue.remove(waiter):
            waiter.granted.set_exception(RateLimited(self._busy_message(waiter.key)))

    def _busy_message(self, key: Key) -> str:
        if self._key_has_room(key):
            return "all workers of this runtime are busy"
        return f"this script runs {self._bounds.per_key} times already"

    def _give_back(self, key: Key, worker: W | None) -> None:
        """Count one busy worker less for the key. The worker, if there is one, becomes idle."""
        self._busy[key] -= 1
        self._busy_in_all -= 1
        if not self._busy[key]:
            del self._busy[key]
        if worker is not None:
            self._idle.put(key, worker)
        self._serve_waiters()
        if worker is not None and worker in self._idle:
            worker.suspend()
            self._shrink()

    def _serve_waiters(self) -> None:
        while self._queue and self._has_room() and (waiter := self._queue.pop_next(self._key_has_room)):
            waiter.granted.set(self._acquire(waiter.key, waiter.fresh))

    def _shrink(self) -> None:
        """End the workers that were used least recently until the others fit into the memory bound."""
        while self._idle.resident_bytes > self._bounds.idle_bytes:
            _end(self._idle.take_oldest())

    def _sweep(self) -> None:
        """End the workers that have been idle for `idle_ttl`, at most a tenth of that time too late.

        Also clean up after those that have died, as a script may after its answer: they would keep their folders and
        descriptors.
        """
        while not self._closed.wait(self._bounds.idle_ttl / 10):
            for worker in self._idle.take_dead():
                _end(worker)
            while self._idle.oldest_age >= self._bounds.idle_ttl:
                _end(self._idle.take_oldest())


def _end(worker: W) -> None:
    """Kill a worker now, and clean up after it in the background."""
    worker.kill()
    gevent.spawn(worker.close)
