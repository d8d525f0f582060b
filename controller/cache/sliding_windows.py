"""Sliding windows in this process's memory. They limit requests while the shared store is away."""

from collections import OrderedDict, deque
from time import monotonic

from controller.cache.backend import Quota, Window

KEYS_MAX = 10_000


class Windows:
    """The times of the latest allowed requests, by key. The least recently used keys are forgotten."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, window: Window) -> Quota:
        """Take a slot in the window, if one is free."""
        now = monotonic() * 1000
        times = self._times.setdefault(window.key, deque())
        self._times.move_to_end(window.key)
        if len(self._times) > KEYS_MAX:
            self._times.popitem(last=False)
        while times and times[0] <= now - window.milliseconds:
            times.popleft()
        allowed = len(times) < window.limit
        if allowed:
            times.append(now)
        reset = times[0] + window.milliseconds - now
        return Quota(allowed, max(0, window.limit - len(times)), int(reset))
