"""RateLimiter: limits requests per user. Redis counts; while Redis is away, each process counts its own requests."""

from math import ceil
from typing import Literal

from controller.cache.backend import Quota, Window
from controller.cache.manager import CacheManager
from controller.errors import RateLimited
from controller.limits.settings import Limits
from controller.models.formats import FORMAT
from controller.models.registered import Identity

MINUTE_MS = 60_000


class Admission:
    """One request's slot in its window.

    The rule: every POST costs one slot. It is taken with the first trip to Redis that the request makes, or with an
    extra trip if it makes none.
    """

    def __init__(self, cache: CacheManager, window: Window | None) -> None:
        self._cache = cache
        self._quota: Quota | None = None
        self._limit = window.limit if window else 0
        #: The window in which the slot is still to be taken. None: it is taken, or there is no limit.
        self.window = window

    def charge(self, quota: Quota | None = None) -> None:
        """Take the slot, unless it is taken.

        Args:
            quota: the reply of a trip that took the slot. None: make a trip now.

        Raises:
            RateLimited: no slot is free.
        """
        if self.window is None:
            return
        self._quota = quota or self._cache.take(self.window)
        self.window = None
        if not self._quota.allowed:
            error = RateLimited("too many requests: the limit of this minute is reached")
            error.retry_after = max(1, ceil(self._quota.reset_ms / 1000))
            raise error

    def headers(self) -> dict[str, str]:
        """Return the RateLimit headers. `RateLimit-Reset` has the seconds until the next slot is free."""
        if self._quota is None:
            return {}
        return {
            "RateLimit-Limit": str(self._limit),
            "RateLimit-Remaining": str(self._quota.remaining),
            "RateLimit-Reset": str(max(1, ceil(self._quota.reset_ms / 1000))),
        }


class RateLimiter:
    """Finds the window of a request."""

    def __init__(self, cache: CacheManager, limits: Limits) -> None:
        self._cache = cache
        self._limits = limits

    def admission(
        self,
        endpoint: Literal["execute", "initialize", "functions", "manage"] | None,
        identity: Identity,
        address: str,
    ) -> Admission:
        """Return a slot for one request, not taken yet.

        Args:
            endpoint: the name of the window. None: no limit.
            identity: the caller.
            address: the client's address, which identifies a caller without a token.
        """
        if endpoint is None:
            return Admission(self._cache, None)
        if identity.anonymous:
            limit, key = self._limits.anonymous, f"{FORMAT}rate:anonymous:{address}"
        else:
            limit, key = getattr(self._limits, endpoint), f"{FORMAT}rate:{endpoint}:{identity.subject}"
        return Admission(self._cache, Window(key, limit, MINUTE_MS) if limit else None)
