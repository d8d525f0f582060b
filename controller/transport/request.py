"""A request to a runtime, its time, and the answer."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Self

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Budget:
    """Until when, on the monotonic clock in seconds, what has to be done."""

    begun_by: float
    """The request is sent: all waiting and connecting is over."""
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


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent, to whichever address takes it."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"

    def encode(self, host: str, base_path: str) -> bytes:
        """The bytes on the wire, for the runtime at `host` below `base_path`.

        Raises:
            ValueError: a header holds what would end it.
        """
        head = [f"{self.method} {base_path}{self.path} HTTP/1.1", f"Host: {host}"]
        head += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.method == "POST":
            head += ["Content-Type: application/json", f"Content-Length: {len(self.body)}"]
        if any(_CONTROL.search(line) for line in head):
            raise ValueError("a control character in a header")
        return "\r\n".join([*head, "", ""]).encode("latin-1") + self.body


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer; what its body holds is for the caller to judge."""

    status: int
    body: bytes


def remaining(deadline: float) -> float:
    """Seconds until `deadline`; raises TimeoutError once there are none."""
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError("the time is over")
    return left
