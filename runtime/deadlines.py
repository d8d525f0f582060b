"""Many deadlines on one timer of gevent's loop."""

from collections.abc import Callable, Hashable
from time import monotonic
from typing import Any, Generic, TypeVar

from gevent import get_hub

T = TypeVar("T", bound=Hashable)


class Deadlines(Generic[T]):
    """Calls `passed(item)` for each item that is not discarded before its deadline.

    Nearly all items are discarded in time, so adding and discarding is one operation on a dictionary. The one timer
    is set to the earliest deadline and not changed when that item is discarded: when it fires, all items are checked.

    Args:
        passed: Called in gevent's loop, so it must not wait.
    """

    def __init__(self, passed: Callable[[T], object]) -> None:
        self._passed = passed
        self._times: dict[T, float] = {}
        self._due = float("inf")
        self._timer: Any = None

    def add(self, item: T, seconds: float) -> None:
        """Set the deadline of an item to `seconds` from now. It replaces the item's earlier deadline."""
        time = self._times[item] = monotonic() + seconds
        if time < self._due:
            self._set(time)

    def discard(self, item: T) -> bool:
        """Remove an item. Return False if it is unknown, or its deadline has passed."""
        return self._times.pop(item, None) is not None

    def close(self) -> None:
        """Discard all items."""
        self._times.clear()
        self._stop()

    def _set(self, due: float) -> None:
        self._stop()
        self._due = due
        self._timer = get_hub().loop.timer(max(0.0, due - monotonic()))
        self._timer.start(self._expire, update=True)

    def _stop(self) -> None:
        self._due = float("inf")
        if self._timer is not None:
            self._timer.close()
            self._timer = None

    def _expire(self) -> None:
        self._stop()
        now = monotonic()
        late = [item for item, time in self._times.items() if time <= now]
        for item in late:
            del self._times[item]
            self._passed(item)
        first = min(self._times.values(), default=float("inf"))
        if first < self._due:
            self._set(first)
