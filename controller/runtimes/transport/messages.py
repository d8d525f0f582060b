"""A request to a runtime, its deadlines, and its answer."""

import re
from collections.abc import Mapping
from time import monotonic
from typing import Self

from msgspec import Struct

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Budget(Struct, frozen=True, gc=False):
    """The deadlines of a request, in seconds on the monotonic clock."""

    #: Deadline until which the request must be sent.
    begun_by: float
    answered_by: float

    @classmethod
    def of(cls, own: float, script: float) -> Self:
        """Return the budget of a request that begins now.

        Args:
            own: seconds for everything but the script.
            script: seconds that the script may take.
        """
        start = monotonic()
        return cls(start + own, start + own + script)

    def sooner(self) -> "Budget":
        """Return a budget with half of the time to send. The other half is left for another try."""
        start = monotonic()
        return Budget(start + (self.begun_by - start) / 2, self.answered_by)


class Request(Struct, frozen=True):
    """A request, independent of the address."""

    path: str
    body: bytes
    headers: Mapping[str, str] = {}
    method: str = "POST"
    content_type: str = "application/json"
    #: Headers that are the same in every request, encoded once by `header_lines`.
    constant: str = ""

    def encode(self, host: str, base_path: str) -> bytes:
        """Return the bytes of the request to the runtime at `host` and `base_path`.

        Raises:
            ValueError: a header has a control character.
        """
        lines = header_lines(self.headers) if self.headers else ""
        if self.method != "GET":
            lines += f"Content-Type: {self.content_type}\r\nContent-Length: {len(self.body)}\r\n"
        target = checked(base_path + self.path)
        head = f"{self.method} {target} HTTP/1.1\r\nHost: {host}\r\n{self.constant}{lines}\r\n"
        return head.encode("latin-1") + self.body


class Answer(Struct, frozen=True, gc=False):
    """A complete answer. The caller parses its body."""

    status: int
    body: bytes


def header_lines(headers: Mapping[str, str]) -> str:
    """Return encoded headers. Raises ValueError if one has a control character."""
    return "".join([checked(f"{name}: {value}") + "\r\n" for name, value in headers.items()])


def checked(text: str) -> str:
    """Return the text if it may be part of a request's head. Raises ValueError for any other."""
    if not text.isprintable() and _CONTROL.search(text):  # the first is quick, the second exact
        raise ValueError("a control character in a header")
    return text


def remaining(deadline: float) -> float:
    """Return the seconds until `deadline`. Raises TimeoutError if it has passed."""
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError("the time is over")
    return left
