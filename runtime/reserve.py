"""Blank workers that are started ahead, so that a new script need not wait for a process to start."""

from collections import deque
from collections.abc import Callable

import gevent
from gevent.event import Event

from runtime.errors import RuntimeUnavailable
from runtime.worker import Worker

#: Seconds until the next try after a worker could not be started ahead.
RETRY = 1.0


class Reserve:
    """Keeps `size` blank workers ready, started by `start`."""

    def __init__(self, start: Callable[[], Worker], size: int) -> None:
        self._start = start
        self._size = size
        self._ready: deque[Worker] = deque()
        self._wanted = Event()
        self._wanted.set()
        self._filler = gevent.spawn(self._fill)

    def take(self) -> Worker:
        """A blank worker, which is the caller's from now on. Raises RuntimeUnavailable when none can be started."""
        self._wanted.set()
        while self._ready:
            worker = self._ready.popleft()
            if worker.alive:
                return worker
            worker.close()
        return self._start()

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
                    self._ready.append(self._start())
                except RuntimeUnavailable:
                    gevent.sleep(RETRY)
