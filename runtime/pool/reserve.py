"""Blank workers that are started ahead, so that a new script does not wait for a process to start."""

from collections import deque
from collections.abc import Callable
from time import monotonic
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
#: Seconds: as many workers are kept ready as were taken within this time.
WINDOW = 10.0
#: Most seconds between two looks whether fewer are needed.
_LOOK = 1.0


class Reserve(Generic[W]):
    """Keeps blank workers ready for as long as they are asked for.

    There are none before the first is asked for. Then there are as many as were taken within `WINDOW`, at least one
    and at most `most`. After `kept` seconds in which none was taken, there are none again.

    Args:
        start: Starts a worker.
        most: The most workers to keep ready.
        kept: Seconds for which the last one is kept.
        rehearse: Warms a worker up.
    """

    def __init__(self, start: Callable[[], W], most: int, kept: float, rehearse: Callable[[W], None]) -> None:
        self._start = start
        self._rehearse = rehearse
        self._most = most
        self._kept = kept
        self._look = min(_LOOK, kept / 10)
        self._asked = -kept
        #: When the last `most` workers were taken.
        self._taken: deque[float] = deque(maxlen=most)
        self._size = 0
        self._ready: deque[W] = deque()
        self._wanted = Event()
        self._keeper = gevent.spawn(self._keep)

    def __len__(self) -> int:
        return len(self._ready)

    def expect(self) -> None:
        """Have a worker started, without waiting for it, because one may soon be taken."""
        self._asked = monotonic()
        self._size = max(self._size, min(1, self._most))
        self.refill()

    def take(self) -> W:
        """Return a blank worker, which now belongs to the caller.

        Raises:
            RuntimeUnavailable: No worker can be started.
        """
        self._asked = monotonic()
        self._taken.append(self._asked)
        self._size = self._needed()
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
        self._keeper.kill()
        while self._ready:
            self._ready.popleft().close()

    def _needed(self) -> int:
        now = monotonic()
        if now - self._asked >= self._kept:
            return 0
        return min(self._most, max(1, sum(now - taken < WINDOW for taken in self._taken)))

    def _keep(self) -> None:
        while True:
            # Without a ready worker there is nothing to look after: a runtime at rest does not wake up.
            self._wanted.wait(self._look if self._ready else None)
            self._wanted.clear()
            self._size = self._needed()
            self._fill()
            while len(self._ready) > self._size:
                self._ready.popleft().close()

    def _fill(self) -> None:
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
