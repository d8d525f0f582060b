"""Leases: places in rate windows that this process has taken ahead, so that most requests need no trip for theirs.

Only windows with a large limit have them. As many places are asked for as the last ones lasted, before these are used
up. A place is used within its lease or given back.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic
from typing import NamedTuple

from controller.cache.backend import PLACE_LEASE_MS, Quota, Window

#: Smallest limit of a window with leases.
LIMIT_MIN = 1000
#: Most places of one lease.
MOST = 512
#: Largest size of a lease, as a multiple of the one before.
GROWTH = 4
SECONDS = PLACE_LEASE_MS / 1000


class Unused(NamedTuple):
    """Places to give back: the window's key, the time at which it has them, and their number."""

    window: str
    taken_at: str
    places: int


@dataclass(slots=True)
class _Places:
    """Places of one lease."""

    until: float
    left: int
    quota: Quota


class _Leased:
    """What a window's requests have used, and the places that are left for them."""

    __slots__ = ("asking", "batches", "places", "since", "used")

    def __init__(self) -> None:
        #: Whether a trip that asks for places is under way: others then take one each.
        self.asking = False
        #: How many places the last trip asked for, when, and how many requests there were since.
        self.places = 1
        self.since = 0.0
        self.used = 0
        self.batches: deque[_Places] = deque()


class Leases:
    """The leases of this process, by window. The windows have limits of LIMIT_MIN or more."""

    def __init__(self) -> None:
        self._windows: dict[str, _Leased] = {}

    def __bool__(self) -> bool:
        """Whether there are leases to look after with `ended`."""
        return bool(self._windows)

    def take(self, window: Window) -> Quota | None:
        """Take a leased place. None: the request makes a trip, because there is none or to ask for the next ones."""
        leased = self._windows.get(window.key)
        if leased is None:
            return None
        now = monotonic()
        for batch in leased.batches:
            if batch.left and now < batch.until:
                break
        else:
            return None
        half_used = 2 * leased.used >= leased.places or now >= leased.since + SECONDS / 2
        if half_used and not leased.asking:
            return None
        leased.used += 1
        batch.left -= 1
        return Quota(
            allowed=True, remaining=batch.quota.remaining + batch.left, reset_ms=batch.quota.reset_ms
        )

    def wanted(self, window: Window) -> int:
        """Return how many places a trip should ask for. More than one: `came` is called with its reply."""
        leased = self._windows.setdefault(window.key, _Leased())
        leased.used += 1
        if leased.asking:
            return 1
        now = monotonic()
        # What half of a lease's time needs, and some more: the next ones are asked for at half of the time.
        needed = leased.used * SECONDS * 0.6 / max(now - leased.since, 0.001)
        leased.places = max(1, min(int(needed), MOST, GROWTH * leased.places))
        leased.since, leased.used = now, 0
        leased.asking = leased.places > 1
        return leased.places

    def came(self, window: Window, sent: float, quota: Quota | None) -> None:
        """Record the reply to a trip that asked for places.

        Args:
            window: the window.
            sent: when the trip began.
            quota: the reply. None: there was none.
        """
        leased = self._windows[window.key]
        leased.asking = False
        if quota is not None and quota.places > 1:
            leased.batches.append(_Places(sent + SECONDS, quota.places - 1, quota))

    def ended(self) -> Iterator[Unused]:
        """End the leases that are over, and return the places to give back."""
        now = monotonic()
        for key, leased in list(self._windows.items()):
            while leased.batches and (now >= leased.batches[0].until or not leased.batches[0].left):
                batch = leased.batches.popleft()
                if batch.left:
                    yield Unused(key, batch.quota.taken_at, batch.left)
            if not leased.batches and not leased.asking and now >= leased.since + 2 * SECONDS:
                del self._windows[key]
