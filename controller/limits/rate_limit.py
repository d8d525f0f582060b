"""RateLimiter: who may ask how often. The store counts; where that is away, each process counts for itself."""

from math import ceil
from types import TracebackType
from typing import Literal, Self

from controller.cache.backend import Quota, Window
from controller.cache.manager import CacheManager
from controller.errors import RateLimited
from controller.limits.settings import Limits
from controller.models.registered import Identity

MINUTE_MS = 60_000


class Admission:
    """One request's place in its window: taken with the first trip to the store, or in one of its own.

    As a context manager it sees to it that an error of the block does not spare the place, and that being over the
    limit comes before that error.
    """

    def __init__(self, cache: CacheManager, window: Window | None) -> None:
        self._cache = cache
        self._quota: Quota | None = None
        self._limit = window.limit if window else 0
        self.window = window
        """What is still to be taken."""

    def take(self) -> None:
        """Takes the place, unless that is done; raises RateLimited when there is none."""
        if self.window is not None:
            self.settle(self._cache.take(self.window))

    def settle(self, quota: Quota | None) -> None:
        """The place was asked for in another trip, with this answer; raises RateLimited."""
        if quota is None:
            return
        self.window, self._quota = None, quota
        if not quota.allowed:
            error = RateLimited("too many requests: the limit of this minute is reached")
            error.retry_after = max(1, ceil(quota.reset_ms / 1000))
            raise error

    def headers(self) -> dict[str, str]:
        """`RateLimit-Reset`: seconds until the next place is free."""
        if self._quota is None:
            return {}
        return {
            "RateLimit-Limit": str(self._limit),
            "RateLimit-Remaining": str(self._quota.remaining),
            "RateLimit-Reset": str(max(1, ceil(self._quota.reset_ms / 1000))),
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.take()


class RateLimiter:
    """Names the window of a request."""

    def __init__(self, cache: CacheManager, limits: Limits) -> None:
        self._cache = cache
        self._limits = limits

    def admission(
        self, endpoint: Literal["execute", "initialize", "functions"], identity: Identity, address: str
    ) -> Admission:
        """A place for one request, not taken yet. `address`: the client's, which counts where there is no token."""
        if identity.anonymous:
            limit, key = self._limits.anonymous, f"rate:anonymous:{address}"
        else:
            limit, key = getattr(self._limits, endpoint), f"rate:{endpoint}:{identity.subject}"
        return Admission(self._cache, Window(key, limit, MINUTE_MS) if limit else None)
