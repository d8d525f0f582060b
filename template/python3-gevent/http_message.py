"""What passes between a connection and its reader: requests, and why one is refused."""

import io
from typing import Any


class Refused(Exception):
    """A request that is answered with an HTTP error; its connection ends."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class UnreadBody(io.RawIOBase):
    """The input of a request whose body is longer than its application takes, so that it was not read."""

    def readinto(self, _: Any) -> int:
        """Raises OSError."""
        raise OSError("the body is too large, and was not read")


class Request:
    """A request for an application.

    Attributes:
        keep_alive: whether its client wants the connection kept, and it can be.
        whole: whether its body has been read.
    """

    __slots__ = ("environ", "is_head", "keep_alive", "version", "whole")

    def __init__(self, environ: dict[str, Any], version: str, keep_alive: bool, whole: bool) -> None:
        self.environ = environ
        self.version = version
        self.keep_alive = keep_alive
        self.whole = whole
        self.is_head = environ["REQUEST_METHOD"] == "HEAD"
