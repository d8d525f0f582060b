"""Quotas: how many live sessions and registered functions one user may have."""

from typing import Protocol

from controller.errors import RateLimited, StoreUnavailable
from controller.models.registered import LanguageTitle
from controller.models.stored import Held

#: `Retry-After` in seconds. By then a session may have expired.
RETRY_AFTER = 60


class HeldByUser(Protocol):
    """The store that counts users' sessions and functions."""

    def held_by_user(self, owner: str, other_than: LanguageTitle, most: Held) -> Held:
        """Count what the owner has, up to `most`, without the function `other_than`. Raises StoreUnavailable."""


class Quotas:
    """Limits what a user has. Concurrent requests may together exceed a limit by their number.

    Args:
        rows: counts sessions and functions. While it is away no request is refused.
        sessions_max: most live sessions of one user; 0: no limit.
        functions_max: most registered functions of one user; 0: no limit.
    """

    def __init__(self, rows: HeldByUser, sessions_max: int, functions_max: int) -> None:
        self._rows = rows
        self._sessions_max = sessions_max
        self._functions_max = functions_max

    def check(self, owner: str, name: LanguageTitle, *, registers: bool, begins: bool = True) -> None:
        """Check that the user may have one more session, and the named function.

        Args:
            owner: the user.
            name: the function.
            registers: whether the request registers the function.
            begins: whether the request begins a session.

        Raises:
            RateLimited: a quota is used up.
        """
        functions_max = self._functions_max if registers else 0
        sessions_max = self._sessions_max if begins else 0
        if not (sessions_max or functions_max):
            return
        try:
            held = self._rows.held_by_user(owner, name, Held(sessions_max, functions_max))
        except StoreUnavailable:
            return
        if 0 < sessions_max <= held.sessions:
            raise _full(f"{sessions_max} live sessions", "delete one, or wait until one expires")
        if 0 < functions_max <= held.functions:
            raise _full(f"{functions_max} registered functions", "delete one")


def _full(bound: str, remedy: str) -> RateLimited:
    error = RateLimited(f"a user may have {bound}: {remedy}")
    error.retry_after = RETRY_AFTER
    return error
