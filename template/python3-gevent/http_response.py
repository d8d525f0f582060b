"""What goes back on a connection: a WSGI application's answer as HTTP/1.1."""

import json
from collections.abc import Callable, Iterable
from http import HTTPStatus
from types import TracebackType
from typing import Any

from http_request import Refused, Request

Headers = list[tuple[str, str]]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType]

_FORBIDDEN = frozenset("\r\n\0")
#: Headers that are the connection's, which is ours.
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "date", "server"})


class Response:
    """One answer.

    Args:
        request: what is answered.
        keep_alive: whether the connection goes on afterwards, as far as we are concerned.
        date: the header line of the current time.
        send: takes the bytes of the answer.
    """

    __slots__ = (
        "_chunked",
        "_date",
        "_headers",
        "_left",
        "_request",
        "_send",
        "_status",
        "keep_alive",
        "started",
    )

    def __init__(
        self, request: Request, *, keep_alive: bool, date: str, send: Callable[[bytes], None]
    ) -> None:
        self._request = request
        self.keep_alive = keep_alive and request.keep_alive
        self._date = date
        self._send = send
        self._status = ""
        self._headers: Headers = []
        self._chunked = False
        self._left = 0
        self.started = False
        """Whether the head has been sent."""

    def start(
        self, status: str, headers: Headers, exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], None]:
        """WSGI's start_response."""
        try:
            if exc_info and self.started:
                raise exc_info[1].with_traceback(exc_info[2])
        finally:
            exc_info = None
        self._status = status
        self._headers = headers
        return self._write

    def send(self, parts: Iterable[bytes]) -> None:
        """Send all that the application returned."""
        if isinstance(parts, (list, tuple)) and not self.started:
            self._send_whole(b"".join(parts))
            return
        for part in parts:
            if part:
                self._write(part)
        if not self.started:
            self._send_whole(b"")
        elif self._chunked:
            self._send(b"0\r\n\r\n")
        elif self._left:
            # The length that its application announced was wrong: nothing can follow on this connection.
            self.keep_alive = False

    def _send_whole(self, body: bytes) -> None:
        bodiless = self._bodiless
        head = self._head_of(None if bodiless else len(body))
        self.started = True
        self._send(head if bodiless or self._request.environ["REQUEST_METHOD"] == "HEAD" else head + body)

    def _write(self, part: bytes) -> None:
        head = b"" if self.started else self._begin()
        if self._bodiless or self._request.environ["REQUEST_METHOD"] == "HEAD":
            self._left = 0
            part = b""
        elif self._chunked:
            part = b"%x\r\n%b\r\n" % (len(part), part)
        else:
            self._left -= len(part)
        self._send(head + part)

    def _begin(self) -> bytes:
        """The head of an answer whose length we do not know; its application may."""
        announced = [int(value) for name, value in self._headers if name.lower() == "content-length"]
        if announced:
            self._left = announced[0]
        elif not self._bodiless:
            self._chunked = self._request.version == "1.1"
            self.keep_alive = self.keep_alive and self._chunked
        head = self._head_of(None)
        self.started = True
        return head

    @property
    def _bodiless(self) -> bool:
        """Answers with these codes end with their head."""
        return self._status.startswith(("204", "304", "1"))

    def _head_of(self, length: int | None) -> bytes:
        """Raises ValueError: a header that would split the answer."""
        lines = [f"HTTP/1.1 {self._status}\r\n", self._date]
        for name, value in self._headers:
            if not _FORBIDDEN.isdisjoint(value) or not _FORBIDDEN.isdisjoint(name):
                raise ValueError(f"the header {name!r} has a line break in it")
            lowered = name.lower()
            if lowered == "content-length":
                length = (
                    int(value)
                    if length is None or self._request.environ["REQUEST_METHOD"] == "HEAD"
                    else length
                )
            elif lowered not in _HOP_BY_HOP:
                lines.append(f"{name}: {value}\r\n")
        if length is not None and not self._bodiless:
            lines.append(f"Content-Length: {length}\r\n")
        if self._chunked:
            lines.append("Transfer-Encoding: chunked\r\n")
        if not self.keep_alive:
            lines.append("Connection: close\r\n")
        elif self._request.version == "1.0":
            lines.append("Connection: keep-alive\r\n")
        lines.append("\r\n")
        return "".join(lines).encode("latin-1")


def refusal(refused: Refused) -> bytes:
    """The answer to a request that no application has seen, in the shape of all our errors."""
    code = "INTERNAL_ERROR" if refused.status == 500 else "INVALID_REQUEST"
    error: dict[str, Any] = {"code": code, "message": refused.message, "details": {}}
    body = json.dumps({"error": error}).encode()
    status = HTTPStatus(refused.status)
    return (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode() + body
