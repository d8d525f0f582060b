"""Blank workers that are started ahead, so that a new script does not wait for a process to start."""

from collections import deque
from collections.abc import Callable
from typing import Generic

import gevent
from gevent.event import Event

from runtime.errors import RuntimeUnavailable
from runtime.pool.idle import W

#: Seconds until the next attempt after a worker could not be started ahead.
RETRY = 1.0
#: Seconds that a taken worker has for its first answer before the next worker is started. Starting one beside it
#: makes that answer a fourth slower in Python and a third in Node.js, measured on two cores.
ANSWER_SECONDS = 0.1


class Reserve(Generic[W]):
    """Keeps blank workers ready.

    Args:
        start: Starts a worker.
        size: The number of workers to keep ready.
        rehearse: Warms a worker up.
    """

    def __init__(self, start: Callable[[], W], size: int, rehearse: Callable[[W], None]) -> None:
        self._start = start
        self._rehearse = rehearse
        self._size = size
        self._ready: deque[W] = deque()
        self._wanted = Event()
        self._wanted.set()
        self._filler = gevent.spawn(self._fill)

    def __len__(self) -> int:
        return len(self._ready)

    def take(self) -> W:
        """Return a blank worker, which now belongs to the caller.

        Raises:
            RuntimeUnavailable: No worker can be started.
        """
        gevent.spawn_later(ANSWER_SECONDS, self.refill)
        while self._ready:
            worker = self._ready.popleft()
            if worker.alive:
                return worker
            worker.close()
        return self._start()

    def refill(self) -> None:
        """Start the missing workers without waiting for them. Called when a taken worker has answered."""
        if len(self._ready) < self._size:
            self._wanted.set()

    def close(self) -> None:
        """End the workers that were not taken."""
        self._filler.kill()
        while self._ready:
            self._ready.popleft().close()

    def _fill(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            while len(self._ready) < self._size:
                try:
                    self._ready.append(self._rehearsed())
                except RuntimeUnavailable:
                    gevent.sleep(RETRY)

    def _rehearsed(self) -> W:
        worker = self._start()
        try:
            self._rehearse(worker)
        except BaseException:
            worker.close()
            raise
        return worker
