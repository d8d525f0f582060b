"""Work: counts the steps of one check. A long check lets other requests run, and one that takes too many ends."""

from contextvars import ContextVar
from typing import Any, Self

import gevent
from gevent.lock import BoundedSemaphore

#: Steps between two pauses. A step takes 0.1 to 0.5 microseconds.
SLICE = 5_000
#: Seconds of a pause. Not 0: the event loop would not look at its sockets.
PAUSE = 0.0005
#: Long checks take turns, so that the event loop runs after each slice of any of them.
_TURN = BoundedSemaphore(1)
#: The check that runs in this greenlet.
CURRENT: ContextVar["Work"] = ContextVar("work")


class OutOfSteps(Exception):
    """The check has taken all its steps."""


class Work:
    """The steps of one check. As a context manager, it is what `charge` counts on in this greenlet.

    Args:
        bound: most steps.

    Attributes:
        left: steps until the next pause.
    """

    __slots__ = ("_bound", "_has_turn", "_taken", "_token", "left")

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._taken = 0
        self.left = SLICE
        self._has_turn = False

    def __enter__(self) -> Self:
        self._token = CURRENT.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        CURRENT.reset(self._token)
        if self._has_turn:
            _TURN.release()

    @property
    def taken(self) -> int:
        """Steps taken so far."""
        return self._taken + SLICE - self.left

    def pause(self) -> None:
        """Let other requests run. Raises OutOfSteps at the bound."""
        self._taken = self.taken
        self.left = SLICE
        if self._taken > self._bound:
            raise OutOfSteps
        if not self._has_turn:
            _TURN.acquire()
            self._has_turn = True
        gevent.sleep(PAUSE)


def charge(steps: int) -> None:
    """Take steps of the check that runs in this greenlet. Raises OutOfSteps at its bound."""
    work = CURRENT.get()
    work.left -= steps
    if work.left < 0:
        work.pause()


def search(pattern: Any, text: str) -> bool:
    """Return whether an RE2 pattern matches somewhere in a text.

    Raises:
        OutOfSteps: the bound is reached.
    """
    encoded = text.encode("utf-8", "surrogatepass")
    # RE2's worst case is each instruction at each byte, of which it does 20 a step.
    steps = 10 + len(encoded) * pattern.programsize // 20
    charge(steps)
    if steps <= SLICE:
        return pattern.search(encoded) is not None
    # A search cannot pause. RE2 releases Python's lock, so a thread does it beside the event loop.
    return gevent.get_hub().threadpool.apply(pattern.search, (encoded,)) is not None
