"""Sliding windows in this process's memory. They limit requests while the shared store is away."""

from collections import OrderedDict, deque
from time import monotonic

from controller.cache.backend import PLACE_LEASE_MS, Quota, Window

KEYS_MAX = 10_000


class Windows:
    """The times of the latest allowed requests, by key. The least recently used keys are forgotten."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, window: Window, places: int = 1) -> Quota:
        """Take a slot in the window, if one is free, and lease others: see `take` in rate.lua."""
        now = monotonic() * 1000
        times = self._times.setdefault(window.key, deque())
        self._times.move_to_end(window.key)
        if len(self._times) > KEYS_MAX:
            self._times.popitem(last=False)
        while times and times[0] <= now - window.milliseconds:
            times.popleft()
        granted = 0
        if len(times) < window.limit:
            granted = 1 if places == 1 else self._granted(times, window.limit, places, now)
        times.extend([now] * granted)
        reset = times[0] + window.milliseconds - now
        left = max(0, window.limit - len(times))
        return Quota(granted > 0, left, int(reset), granted, str(now))

    def give_back(self, key: str, taken_at: str, places: int) -> None:
        """Free leased places that were not used."""
        times, taken = self._times.get(key, deque()), float(taken_at)
        for _ in range(min(places, times.count(taken))):
            times.remove(taken)

    def _granted(self, times: deque[float], limit: int, places: int, now: float) -> int:
        share = limit // 100
        if share == 0 or (len(times) >= share and times[-share] > now - PLACE_LEASE_MS):
            return 1
        return max(1, min(places, share, (limit - len(times)) // 8))
