"""Times until which something has to be over, many of them on one timer of the loop."""

from collections.abc import Callable, Hashable
from time import monotonic
from typing import Any, Generic, TypeVar

from gevent import get_hub

T = TypeVar("T", bound=Hashable)


class Deadlines(Generic[T]):
    """Hands to `passed` whatever is still here when its time is over.

    Nearly all leave before: that and coming take one entry in a dictionary. The timer goes off at a time that was the
    first one once, and all that are here are looked at then. `passed` is called in the loop: it must not wait.
    """

    def __init__(self, passed: Callable[[T], object]) -> None:
        self._passed = passed
        self._times: dict[T, float] = {}
        self._alarm = float("inf")
        self._timer: Any = None

    def add(self, what: T, seconds: float) -> None:
        """From now on it has so much time, whatever it had before."""
        time = self._times[what] = monotonic() + seconds
        if time < self._alarm:
            self._set(time)

    def discard(self, what: T) -> bool:
        """It was in time. Returns False for what is not here (any more)."""
        return self._times.pop(what, None) is not None

    def close(self) -> None:
        """Nothing is late any more."""
        self._times.clear()
        self._stop()

    def _set(self, alarm: float) -> None:
        self._stop()
        self._alarm = alarm
        self._timer = get_hub().loop.timer(max(0.0, alarm - monotonic()))
        self._timer.start(self._ring, update=True)

    def _stop(self) -> None:
        self._alarm = float("inf")
        if self._timer is not None:
            self._timer.close()
            self._timer = None

    def _ring(self) -> None:
        self._stop()
        now = monotonic()
        late = [what for what, time in self._times.items() if time <= now]
        for what in late:
            del self._times[what]
            self._passed(what)
        first = min(self._times.values(), default=float("inf"))
        if first < self._alarm:
            self._set(first)
