"""ApiKeys: finds the caller who sends an API key.

Anybody can compute the checksum and send a new key each time, so the look-ups are bounded: by address, and by how
many run at the same time.
"""

from collections import OrderedDict
from collections.abc import Callable
from math import ceil
from time import time
from typing import NamedTuple, Protocol, cast

from gevent.event import AsyncResult
from gevent.lock import BoundedSemaphore

from controller.cache.backend import Quota, Window
from controller.errors import RateLimited, StoreUnavailable, Unauthorized
from controller.models.api_keys import StoredKey, well_formed
from controller.models.formats import FORMAT
from controller.models.registered import Identity

#: Seconds that a look-up counts. A deleted key works that much longer.
REMEMBERED_SECONDS = 30.0
#: The same while the store is away.
AWAY_SECONDS = 60.0
REMEMBERED_KEYS = 10_000
#: Most look-ups at the same time in one process.
LOOKUPS = 4
#: Seconds that a key which was found before waits for one of them. Another key does not wait.
WAIT_SECONDS = 1.0
#: Most unknown keys from one address in a minute.
UNKNOWN_MAX = 10
MINUTE_MS = 60_000
REMEMBERED_ADDRESSES = 10_000


class KeySearch(Protocol):
    """The store of keys."""

    def api_key(self, key_hash: bytes) -> StoredKey | None:
        """Return a key, expired or not, and record its use. Raises StoreUnavailable."""


class _Found(NamedTuple):
    """The result of a look-up.

    Attributes:
        at: when it began, in seconds since the epoch.
        until: how long it counts.
        key: None: there is no such key.
    """

    at: float
    until: float
    key: StoredKey | None


class ApiKeys:
    """Finds keys by their hash, and remembers what it found.

    Args:
        rows: the store of keys.
        take: takes a slot in a window that all processes share.
        clock: seconds since the epoch.
    """

    def __init__(
        self, rows: KeySearch, take: Callable[[Window], Quota], clock: Callable[[], float] = time
    ) -> None:
        self._rows = rows
        self._take = take
        self._clock = clock
        self._found: OrderedDict[bytes, _Found] = OrderedDict()
        #: The look-ups under way: requests with the same key share one.
        self._asked: dict[bytes, AsyncResult[_Found]] = {}
        self._places = BoundedSemaphore(LOOKUPS)
        #: Addresses that sent too many unknown keys, and until when they are refused.
        self._refused: OrderedDict[str, float] = OrderedDict()

    def find(self, key: str, key_hash: bytes, address: str) -> tuple[float, Identity]:
        """Return the caller of a key, and how long this answer counts, in seconds since the epoch.

        Args:
            key: what the client sent.
            key_hash: its SHA-256.
            address: the client's address.

        Raises:
            Unauthorized: the key is mistyped, unknown or expired.
            RateLimited: the address sent too many unknown keys.
            StoreUnavailable: the store is away, or too many look-ups run.
        """
        if not well_formed(key):
            raise Unauthorized("the key is mistyped: its checksum does not fit")
        found = self._found.get(key_hash)
        if found is None or found.until <= self._clock():
            found = self._shared(key_hash, address, found)
        if found.key is None:
            raise Unauthorized("the key is unknown: it was deleted, or never made")
        ends = found.key.expires_at.timestamp()
        if ends <= self._clock():
            raise Unauthorized("the key has expired")
        return min(found.until, ends), found.key.identity

    def _shared(self, key_hash: bytes, address: str, before: _Found | None) -> _Found:
        """Look a key up, or wait for the look-up of another request."""
        running = self._asked.get(key_hash)
        if running is not None:
            return cast(_Found, running.get())
        running = self._asked[key_hash] = AsyncResult()
        try:
            running.set(self._renewed(key_hash, address, before))
        except Exception as error:  # noqa: BLE001 - raised below, and in the requests that wait
            running.set_exception(error)
        finally:
            del self._asked[key_hash]
            if not running.ready():
                running.set_exception(StoreUnavailable("the look-up of the key was given up"))
        return cast(_Found, running.get())

    def _renewed(self, key_hash: bytes, address: str, before: _Found | None) -> _Found:
        known = before if before is not None and before.key is not None else None
        if known is None:
            self._check(address)
        at = self._clock()
        try:
            key = self._look_up(key_hash, wait=known is not None)
        except StoreUnavailable:
            if known is None or at >= known.at + AWAY_SECONDS:
                raise
            return self._remember(key_hash, known._replace(until=known.at + AWAY_SECONDS))
        found = self._remember(key_hash, _Found(at, at + REMEMBERED_SECONDS, key))
        if key is None:
            self._count(address)
        return found

    def _look_up(self, key_hash: bytes, *, wait: bool) -> StoredKey | None:
        if not self._places.acquire(timeout=WAIT_SECONDS if wait else 0):
            raise StoreUnavailable("too many keys are looked up at the moment")
        try:
            return self._rows.api_key(key_hash)
        finally:
            self._places.release()

    def _remember(self, key_hash: bytes, found: _Found) -> _Found:
        self._found[key_hash] = found
        self._found.move_to_end(key_hash)
        if len(self._found) > REMEMBERED_KEYS:
            self._found.popitem(last=False)
        return found

    def _check(self, address: str) -> None:
        """Refuse an address that sent too many unknown keys."""
        left = self._refused.get(address, 0.0) - self._clock()
        if left > 0:
            raise _too_many(left)

    def _count(self, address: str) -> None:
        """Count an unknown key. Raises RateLimited if it is one too many."""
        quota = self._take(Window(f"{FORMAT}rate:unknown-keys:{address}", UNKNOWN_MAX, MINUTE_MS))
        if quota.allowed and quota.remaining:
            return
        left = quota.reset_ms / 1000
        self._refused[address] = self._clock() + left
        self._refused.move_to_end(address)
        if len(self._refused) > REMEMBERED_ADDRESSES:
            self._refused.popitem(last=False)
        if not quota.allowed:
            raise _too_many(left)


def _too_many(seconds: float) -> RateLimited:
    error = RateLimited("too many unknown keys from this address")
    error.retry_after = max(1, ceil(seconds))
    return error
