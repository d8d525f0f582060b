"""A parsed request, and the error of a request that is refused."""

import io
from typing import Any


class Refused(Exception):
    """A request is answered with an HTTP error, and its connection is closed."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class UnreadBody(io.RawIOBase):
    """The input of a request with a body that exceeds the application's limit and was not read."""

    def readinto(self, _: Any) -> int:
        """Raise OSError: there is nothing to read."""
        raise OSError("the body is too large, and was not read")


class Request:
    """A request for an application.

    Attributes:
        environ: Its WSGI environ.
        version: 1.0 or 1.1.
        keep_alive: Whether the connection can stay open, and the client wants it.
        whole: Whether its body has been read.
        is_head: Whether its method is HEAD.
    """

    __slots__ = ("environ", "is_head", "keep_alive", "version", "whole")

    def __init__(self, environ: dict[str, Any], version: str, keep_alive: bool, whole: bool) -> None:
        self.environ = environ
        self.version = version
        self.keep_alive = keep_alive
        self.whole = whole
        self.is_head = environ["REQUEST_METHOD"] == "HEAD"
