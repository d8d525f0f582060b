"""Blank workers that are started ahead, so that a new script need not wait for a process to start."""

from collections import deque
from collections.abc import Callable
from typing import Generic

import gevent
from gevent.event import Event

from runtime.errors import RuntimeUnavailable
from runtime.pool.idle import W

#: Seconds until the next try after a worker could not be started ahead.
RETRY = 1.0
#: Seconds that whoever took a worker gets for a first answer before the next one is started. A start beside it costs
#: the answer a fourth of its time in Python and a third in Node.js, measured on two cores.
PATIENCE = 0.1


class Reserve(Generic[W]):
    """Keeps `size` blank workers ready, started by `start` and made ready by `rehearse`."""

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
        """A blank worker, which is the caller's from now on. Raises RuntimeUnavailable when none can be started."""
        gevent.spawn_later(PATIENCE, self.refill)
        while self._ready:
            worker = self._ready.popleft()
            if worker.alive:
                return worker
            worker.close()
        return self._start()

    def refill(self) -> None:
        """Start what is missing, now that whoever took it has an answer. Does not wait."""
        if len(self._ready) < self._size:
            self._wanted.set()

    def close(self) -> None:
        """End the workers that nobody took."""
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
