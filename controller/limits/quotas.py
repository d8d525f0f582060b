"""Quotas: how many live sessions and registered functions one user may have."""

from collections import OrderedDict
from typing import Protocol

from controller.errors import RateLimited, StoreUnavailable
from controller.models.registered import LanguageTitle
from controller.models.stored import Beginning, Ended, Held

#: `Retry-After` in seconds. By then a session may have expired.
RETRY_AFTER = 60
#: Most users of whom it is remembered that they have all they may have.
REMEMBERED = 10_000


class HeldByUser(Protocol):
    """The store that counts users' sessions and functions."""

    def held_by_user(self, owner: str, other_than: LanguageTitle, most: Held) -> Held:
        """Count what the owner has, up to `most`, without the function `other_than`. Raises StoreUnavailable."""


class Quotas:
    """Limits what a user has.

    Sessions begin only within the limits, also those of requests at the same time. Concurrent `PUT /functions` may
    together exceed the limit of functions by their number.

    Args:
        rows: counts sessions and functions. While it is away no request is refused.
        sessions_max: most live sessions of one user; 0: no limit.
        functions_max: most registered functions of one user; 0: no limit.
    """

    def __init__(self, rows: HeldByUser, sessions_max: int, functions_max: int) -> None:
        self._rows = rows
        self._sessions_max = sessions_max
        self._functions_max = functions_max
        #: Users who had all that they may have when they last began a session.
        self._at_bound: OrderedDict[str, None] = OrderedDict()

    @property
    def most(self) -> Held:
        """What a user may have. 0: no limit."""
        return Held(self._sessions_max, self._functions_max)

    def expect_room(self, owner: str, name: LanguageTitle, *, registers: bool) -> None:
        """Check a user who may be refused before work is done for a new session. Raises as `check`."""
        if owner in self._at_bound:
            self.check(owner, name, registers=registers)

    def began(self, owner: str, beginning: Beginning) -> None:
        """Remember whether the user has all that they may have.

        Raises:
            RateLimited: the session has not begun, because a quota is used up.
        """
        if beginning.at_bound:
            self._at_bound[owner] = None
            if len(self._at_bound) > REMEMBERED:
                self._at_bound.popitem(last=False)
        else:
            self._at_bound.pop(owner, None)
        if beginning.ended is Ended.SESSIONS:
            raise _no_session(self._sessions_max)
        if beginning.ended is Ended.FUNCTIONS:
            raise _no_function(self._functions_max)

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
            raise _no_session(sessions_max)
        if 0 < functions_max <= held.functions:
            raise _no_function(functions_max)


def _no_session(most: int) -> RateLimited:
    return _full(f"{most} live sessions", "delete one, or wait until one expires")


def _no_function(most: int) -> RateLimited:
    return _full(f"{most} registered functions", "delete one")


def _full(bound: str, remedy: str) -> RateLimited:
    error = RateLimited(f"a user may have {bound}: {remedy}")
    error.retry_after = RETRY_AFTER
    return error
