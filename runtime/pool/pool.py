"""The warm workers: who gets one, who waits, which one has to go.

A worker belongs to one key for its whole life; no two keys ever share a process. Everything here runs in gevent's
one thread, so a method is atomic up to the point where it starts or ends a process. What holds at all those points:
nobody waits who could be served.
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
from runtime.pool.waiting import Line, Waiter


@dataclass(frozen=True)
class Bounds:
    """What a pool keeps to."""

    size: int
    """Processes, idle and at work together."""
    per_key: int
    """Processes of one key at work at once."""
    idle_bytes: int
    """Memory that idle workers may take together."""
    idle_ttl: float
    """Seconds after which an idle worker is ended."""
    queue_timeout: float
    """Seconds a request waits for a worker."""
    queue_max: int
    """Requests that may wait at once."""


class Lease(Generic[W]):
    """A worker for the time of a block, see `Pool.lease`. A generator would take three times as long."""

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
    """Lends workers, which `start` makes, within its bounds; `waited` is told the seconds of each wait for one."""

    def __init__(self, start: Callable[[], W], bounds: Bounds, waited: Callable[[float], object]) -> None:
        self._start = start
        self._waited = waited
        self._bounds = bounds
        self._idle: IdleWorkers[W] = IdleWorkers()
        self._line: Line[W] = Line()
        self._patience: Deadlines[Waiter[W]] = Deadlines(self._turn_away)
        self._busy: dict[Key, int] = {}
        self._busy_in_all = 0
        self._closed = Event()
        self._sweeper = gevent.spawn(self._sweep)

    def lease(self, key: Key, *, fresh: bool = False) -> Lease[W]:
        """A worker of the key for the time of the block: an idle one, else a new one, which is not loaded yet.

        With `fresh` it is new in any case and ends with the block. A worker that died or did not load is not kept.
        Raises RateLimited when none comes free in time, RuntimeUnavailable when none can be started.
        """
        return Lease(self, key, fresh)

    def take(self, key: Key, *, fresh: bool) -> W:
        """The beginning of a lease."""
        if self._has_room() and self._may_go(key):
            self._waited(0.0)
            worker = self._claim(key, fresh)
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
        """The end of a lease."""
        if keep and worker.alive and worker.loaded and not self._closed.is_set():
            self._give_back(key, worker)
        else:
            _end(worker)
            self._give_back(key, None)

    def counts(self) -> dict[str, int]:
        """How many workers are idle and busy, and how many requests wait."""
        return {"idle": len(self._idle), "busy": self._busy_in_all, "waiting": len(self._line)}

    def close(self) -> None:
        """End the idle workers now, and those at work when they come back."""
        self._closed.set()
        self._sweeper.join()
        while self._idle:
            _end(self._idle.take_oldest())

    def _has_room(self) -> bool:
        """Whether one more can be at work, if need be in the place of an idle one."""
        return self._busy_in_all < self._bounds.size

    def _may_go(self, key: Key) -> bool:
        return self._busy.get(key, 0) < self._bounds.per_key

    def _claim(self, key: Key, fresh: bool) -> W | None:
        """An idle worker of the key, or None: the right to start one."""
        worker = None if fresh else self._take_idle(key)
        if worker is None and self._busy_in_all + len(self._idle) >= self._bounds.size:
            _end(self._idle.take_oldest())
        self._busy[key] = self._busy.get(key, 0) + 1
        self._busy_in_all += 1
        return worker

    def _take_idle(self, key: Key) -> W | None:
        """The one of the key that was used last; the dead are buried on the way."""
        while worker := self._idle.take(key):
            if worker.alive:
                worker.resume()
                return worker
            _end(worker)
        return None

    def _wait(self, key: Key, fresh: bool) -> W | None:
        if len(self._line) >= self._bounds.queue_max:
            raise RateLimited("too many requests wait for a worker of this runtime")
        waiter: Waiter[W] = Waiter(key, fresh=fresh)
        self._line.join(waiter)
        self._patience.add(waiter, self._bounds.queue_timeout)
        since = perf_counter()
        try:
            return waiter.granted.get()
        except BaseException:
            if waiter.granted.successful():
                # It was granted at this very moment: that goes to the next.
                self._give_back(key, waiter.granted.value)
            else:
                self._line.leave(waiter)
            raise
        finally:
            self._patience.discard(waiter)
            self._waited(perf_counter() - since)

    def _turn_away(self, waiter: Waiter[W]) -> None:
        """It has waited for long enough."""
        if self._line.leave(waiter):
            waiter.granted.set_exception(RateLimited(self._why_not(waiter.key)))

    def _why_not(self, key: Key) -> str:
        if self._may_go(key):
            return "all workers of this runtime are busy"
        return f"this script runs {self._bounds.per_key} times at once already"

    def _give_back(self, key: Key, worker: W | None) -> None:
        """One less is at work for the key; its worker, if there is one, becomes idle."""
        self._busy[key] -= 1
        self._busy_in_all -= 1
        if not self._busy[key]:
            del self._busy[key]
        if worker is not None:
            self._idle.put(key, worker)
        self._serve_line()
        if worker is not None and worker in self._idle:
            worker.suspend()
            self._shrink()

    def _serve_line(self) -> None:
        while self._line and self._has_room() and (waiter := self._line.call(self._may_go)):
            waiter.granted.set(self._claim(waiter.key, waiter.fresh))

    def _shrink(self) -> None:
        """End who was used least recently, until the others take no more memory than they may."""
        while self._idle.resident_bytes > self._bounds.idle_bytes:
            _end(self._idle.take_oldest())

    def _sweep(self) -> None:
        """End who has been idle for too long, and no more than a tenth of that time longer."""
        while not self._closed.wait(self._bounds.idle_ttl / 10):
            while self._idle.oldest_age >= self._bounds.idle_ttl:
                _end(self._idle.take_oldest())


def _end(worker: W) -> None:
    """Kill it now; what it leaves behind is cleared away meanwhile."""
    worker.kill()
    gevent.spawn(worker.close)
