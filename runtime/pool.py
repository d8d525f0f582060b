"""The warm workers: who gets one, who waits, which one has to go.

A worker belongs to one key for its whole life; no two keys ever share a process. Everything here runs in gevent's
one thread, so a method is atomic up to the point where it starts or ends a process.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import gevent
from gevent.event import AsyncResult, Event

from runtime.errors import RateLimited
from runtime.worker import Worker


class Key(NamedTuple):
    """Whose worker it is: of one tenant, one script, one set of options."""

    tenant: str
    script_hash: str
    options: str


@dataclass(frozen=True)
class _Idle:
    key: Key
    worker: Worker
    since: float


@dataclass(frozen=True)
class _Waiter:
    """Granted is a worker of its key, or None: the right to start one."""

    key: Key
    fresh: bool
    granted: "AsyncResult[Worker | None]"


class Pool:
    """At most `size` processes, idle and at work together.

    `start` makes a worker; `idle_ttl` and `queue_timeout` are seconds; `queue_max` is how many may wait at once.
    """

    def __init__(
        self,
        start: Callable[[], Worker],
        *,
        size: int,
        idle_ttl: float,
        queue_timeout: float,
        queue_max: int,
    ) -> None:
        self._start = start
        self._size = size
        self._idle_ttl = idle_ttl
        self._queue_timeout = queue_timeout
        self._queue_max = queue_max
        self._taken = 0
        self._idle: list[_Idle] = []  # the one idle for longest first
        self._waiting: deque[_Waiter] = deque()
        self._closed = Event()
        self._sweeper = gevent.spawn(self._sweep)

    @contextmanager
    def lease(self, key: Key, *, fresh: bool = False) -> Iterator[Worker]:
        """A worker of the key for the time of the block: an idle one, else a new one, which is not loaded yet.

        With `fresh` it is new in any case and ends with the block. A worker that died or did not load is not kept.
        Raises RateLimited when none comes free in time, RuntimeUnavailable when none can be started.
        """
        worker = self._take(key, fresh)
        try:
            yield worker
        finally:
            if worker.alive and worker.loaded and not fresh and not self._closed.is_set():
                self._release(key, worker)
            else:
                self._discard(worker)

    def counts(self) -> dict[str, int]:
        """How many workers are idle and busy, and how many requests wait."""
        return {"idle": len(self._idle), "busy": self._taken - len(self._idle), "waiting": len(self._waiting)}

    def close(self) -> None:
        """End the idle workers now, and those at work when they come back."""
        self._closed.set()
        self._sweeper.join()
        while self._idle:
            self._discard(self._idle.pop().worker)

    def _take(self, key: Key, fresh: bool) -> Worker:
        worker = None if fresh else self._take_idle(key)
        if worker is None and not self._claim_slot():
            worker = self._wait(key, fresh)
        if worker is not None:
            return worker
        try:
            return self._start()
        except BaseException:
            self._free_slot()
            raise

    def _take_idle(self, key: Key) -> Worker | None:
        """The one of the key that was used last; the dead are buried on the way."""
        for entry in [entry for entry in reversed(self._idle) if entry.key == key]:
            self._idle.remove(entry)
            if entry.worker.alive:
                entry.worker.process.resume()
                return entry.worker
            self._discard(entry.worker)
        return None

    def _claim_slot(self) -> bool:
        """The right to start a process: a free place, or that of the worker idle for longest."""
        if self._taken < self._size:
            self._taken += 1
            return True
        if self._idle:
            _end(self._idle.pop(0).worker)
            return True
        return False

    def _wait(self, key: Key, fresh: bool) -> Worker | None:
        if len(self._waiting) >= self._queue_max:
            raise RateLimited("too many requests wait for a worker of this runtime")
        waiter = _Waiter(key, fresh, AsyncResult())
        self._waiting.append(waiter)
        try:
            return waiter.granted.get(timeout=self._queue_timeout)
        except BaseException as error:
            self._leave_queue(waiter)
            if isinstance(error, gevent.Timeout):
                raise RateLimited("all workers of this runtime are busy") from None
            raise

    def _leave_queue(self, waiter: _Waiter) -> None:
        """Stop waiting; what was granted at this very moment goes to the next."""
        if waiter in self._waiting:
            self._waiting.remove(waiter)
        elif (worker := waiter.granted.value) is not None:
            self._release(waiter.key, worker)
        else:
            self._free_slot()

    def _release(self, key: Key, worker: Worker) -> None:
        if not self._waiting:
            worker.process.suspend()
            self._idle.append(_Idle(key, worker, time.monotonic()))
            return
        first = self._waiting[0]
        if first.key == key and not first.fresh:
            self._waiting.popleft().granted.set(worker)
        else:
            self._discard(worker)

    def _discard(self, worker: Worker) -> None:
        _end(worker)
        self._free_slot()

    def _free_slot(self) -> None:
        if self._waiting:
            self._waiting.popleft().granted.set(None)
        else:
            self._taken -= 1

    def _sweep(self) -> None:
        """End who has been idle for too long, and no more than a tenth of that time longer."""
        while not self._closed.wait(self._idle_ttl / 10):
            while self._idle and self._idle[0].since + self._idle_ttl <= time.monotonic():
                self._discard(self._idle.pop(0).worker)


def _end(worker: Worker) -> None:
    """Kill it now; what it leaves behind is cleared away meanwhile."""
    worker.process.kill()
    gevent.spawn(worker.close)
