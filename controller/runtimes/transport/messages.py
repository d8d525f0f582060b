"""A request to a runtime, its time, and the answer."""

import re
from collections.abc import Mapping
from time import monotonic
from typing import Self

from msgspec import Struct

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Budget(Struct, frozen=True, gc=False):
    """Until when, on the monotonic clock in seconds, what has to be done."""

    #: The request is sent: all waiting and connecting is over.
    begun_by: float
    answered_by: float

    @classmethod
    def of(cls, own: float, script: float) -> Self:
        """From now on.

        Args:
            own: seconds for everything but the script.
            script: seconds that the script may take.
        """
        start = monotonic()
        return cls(start + own, start + own + script)

    def sooner(self) -> "Budget":
        """The same, but half of the time to begin is left over for another try."""
        start = monotonic()
        return Budget(start + (self.begun_by - start) / 2, self.answered_by)


class Request(Struct, frozen=True):
    """What is sent, to whichever address takes it."""

    path: str
    body: bytes
    headers: Mapping[str, str] = {}
    method: str = "POST"
    #: Headers that are the same in every request, as `header_lines` wrote them once.
    constant: str = ""

    def encode(self, host: str, base_path: str) -> bytes:
        """The bytes on the wire, for the runtime at `host` below `base_path`.

        Raises:
            ValueError: a header holds what would end it.
        """
        lines = header_lines(self.headers) if self.headers else ""
        if self.method == "POST":
            lines += f"Content-Type: application/json\r\nContent-Length: {len(self.body)}\r\n"
        target = checked(base_path + self.path)
        head = f"{self.method} {target} HTTP/1.1\r\nHost: {host}\r\n{self.constant}{lines}\r\n"
        return head.encode("latin-1") + self.body


class Answer(Struct, frozen=True, gc=False):
    """A complete answer; what its body holds is for the caller to judge."""

    status: int
    body: bytes


def header_lines(headers: Mapping[str, str]) -> str:
    """Headers as a request has them; raises ValueError when one holds what would end it."""
    return "".join([checked(f"{name}: {value}") + "\r\n" for name, value in headers.items()])


def checked(text: str) -> str:
    """Text that may stand in a request's head; raises ValueError for any other."""
    if not text.isprintable() and _CONTROL.search(text):  # the first is quick, the second exact
        raise ValueError("a control character in a header")
    return text


def remaining(deadline: float) -> float:
    """Seconds until `deadline`; raises TimeoutError once there are none."""
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError("the time is over")
    return left
