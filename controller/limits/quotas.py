"""Quotas: how much one user may have at once."""

from typing import Protocol

from controller.errors import RateLimited, StoreUnavailable
from controller.models.registered import LanguageTitle
from controller.models.stored import Held

#: Seconds after which asking again may help: something has expired or was deleted.
RETRY_AFTER = 60


class HeldByUser(Protocol):
    """Where the possessions of users are counted."""

    def held_by_user(self, owner: str, other_than: LanguageTitle, most: Held) -> Held:
        """Count up to `most`, without the function called `other_than`. Raises StoreUnavailable."""


class Quotas:
    """Bounds what a user has. Requests that come at the same moment may go over a bound by their number.

    Args:
        rows: knows how much there is. While it is away no request is refused.
        sessions_max: live sessions of one user; 0: no bound.
        functions_max: registered functions of one user; 0: no bound.
    """

    def __init__(self, rows: HeldByUser, sessions_max: int, functions_max: int) -> None:
        self._rows = rows
        self._sessions_max = sessions_max
        self._functions_max = functions_max

    def check(self, owner: str, name: LanguageTitle, *, registers: bool) -> None:
        """Makes sure that there is room for one more session, and for the function of that name.

        Args:
            registers: whether the function is registered, anew or for the first time.

        Raises:
            RateLimited: there is none.
        """
        functions_max = self._functions_max if registers else 0
        if not (self._sessions_max or functions_max):
            return
        try:
            held = self._rows.held_by_user(owner, name, Held(self._sessions_max, functions_max))
        except StoreUnavailable:
            return
        if 0 < self._sessions_max <= held.sessions:
            raise _full(f"{self._sessions_max} live sessions", "delete one, or wait until one expires")
        if 0 < functions_max <= held.functions:
            raise _full(f"{functions_max} registered functions", "delete one")


def _full(bound: str, remedy: str) -> RateLimited:
    error = RateLimited(f"a user may have {bound}: {remedy}")
    error.retry_after = RETRY_AFTER
    return error
