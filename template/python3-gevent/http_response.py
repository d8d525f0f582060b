"""Sends the response of a WSGI application as HTTP/1.1."""

import json
from collections.abc import Callable, Iterable
from http import HTTPStatus
from types import TracebackType
from typing import Any

from http_message import Refused, Request

Headers = list[tuple[str, str]]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType]

#: Headers of the connection, which the server sets, not the application.
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "date", "server"})
_LENGTH = "content-length"
#: Cache of `_kind_of` by header name: applications use few names.
_KINDS: dict[str, str | None] = {}
_KINDS_MAX = 512


class Response:
    """One response.

    Args:
        request: The request.
        keep_alive: Whether the server can keep the connection open.
        date: The header line with the current time.
        send: Sends bytes to the client.

    Attributes:
        keep_alive: Whether the connection stays open.
        status: The application's status, such as `200 OK`.
        headers: The application's headers.
        started: Whether the head has been sent.
        sent: Bytes of the body that have been sent.
    """

    __slots__ = (
        "_bodiless",
        "_chunked",
        "_date",
        "_left",
        "_request",
        "_send",
        "headers",
        "keep_alive",
        "sent",
        "started",
        "status",
    )

    def __init__(self, request: Request, keep_alive: bool, date: str, send: Callable[[bytes], None]) -> None:
        self._request = request
        self.keep_alive = keep_alive and request.keep_alive
        self._date = date
        self._send = send
        self.status = ""
        self.headers: Headers = []
        self._bodiless = False
        self._chunked = False
        self._left: int | None = None
        self.started = False
        self.sent = 0

    def start(
        self, status: str, headers: Headers, exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], None]:
        """Set status and headers. It is `start_response` of WSGI."""
        try:
            if exc_info and self.started:
                raise exc_info[1].with_traceback(exc_info[2])
            if self.status and not exc_info:
                raise AssertionError("the application has called start_response twice")
        finally:
            exc_info = None
        self.status = status
        self.headers = headers
        return self._write

    def send(self, parts: Iterable[bytes]) -> None:
        """Send the body that the application returned: a list in one piece, otherwise each part when it is ready."""
        if isinstance(parts, (list, tuple)) and not self.started:
            self._send_whole(parts[0] if len(parts) == 1 else b"".join(parts))
            return
        for part in parts:
            if part:
                self._write(part)
        if not self.started:
            self._send_whole(b"")
        elif self._chunked:
            self._send(b"0\r\n\r\n")
        elif self._left:
            # The body is shorter than the application announced, so no other response can follow on this connection.
            self.keep_alive = False

    def _send_whole(self, body: bytes) -> None:
        head = self._head(len(body))
        self.started = True
        if self._bodiless:
            self._send(head)
        else:
            self.sent = len(body)
            self._send(head + body)

    def _write(self, part: bytes) -> None:
        head = b""
        if not self.started:
            head = self._head(None)
            self.started = True
        if self._bodiless:
            part = b""
        elif self._left is not None:
            part = self._within_length(part)
        self.sent += len(part)
        if self._chunked and part:
            part = b"%x\r\n%b\r\n" % (len(part), part)
        if head or part:
            self._send(head + part)

    def _within_length(self, part: bytes) -> bytes:
        """Cut a part that exceeds the announced length: the client would read the rest as the next response."""
        left = self._left or 0
        if len(part) > left:
            self.keep_alive = False
            part = part[:left]
        self._left = left - len(part)
        return part

    def _head(self, length: int | None) -> bytes:
        """Return the head of the response.

        Args:
            length: Length of the body; None if it is unknown. The application may have announced it then.

        Raises:
            ValueError: The application's status or one of its headers is invalid.
        """
        request, announced = self._request, None
        lines = [f"HTTP/1.1 {self.status}", self._date]
        for name, value in self.headers:
            kind = _KINDS[name] if name in _KINDS else _kind_of(name)
            if kind is None:
                lines.append(f"{name}: {value}")
            elif kind == _LENGTH:
                announced = int(value)
        self._frame(lines, length, announced)
        if not self.keep_alive:
            lines.append("Connection: close")
        elif request.version == "1.0":
            lines.append("Connection: keep-alive")
        head = "\r\n".join(lines)
        breaks = len(lines) - 1
        if head.count("\n") != breaks or head.count("\r") != breaks or "\0" in head:
            raise ValueError("the application's status or one of its headers has a line break in it")
        return f"{head}\r\n\r\n".encode("latin-1")

    def _frame(self, lines: list[str], length: int | None, announced: int | None) -> None:
        """Add the header that says where the body ends."""
        status = self.status
        if len(status) < 3 or not status[:3].isdecimal():
            raise ValueError("the application has not called start_response with a status")
        if status[0] == "1" or status.startswith(("204", "304")):
            self._bodiless = True
            return
        if self._request.is_head:
            self._bodiless = True
            length = length if announced is None else announced
        elif length is None:
            length = self._left = announced
        if length is not None:
            lines.append(f"Content-Length: {length}")
        elif not self._bodiless:
            self._chunk(lines)

    def _chunk(self, lines: list[str]) -> None:
        """Send a body of unknown length in chunks. In HTTP/1.0 the end of the connection ends the body."""
        if self._request.version == "1.0":
            self.keep_alive = False
        else:
            self._chunked = True
            lines.append("Transfer-Encoding: chunked")


def refusal(refused: Refused) -> bytes:
    """Return the response to a request that the application has not seen, in the form of all our errors."""
    code = "INTERNAL_ERROR" if refused.status == 500 else "INVALID_REQUEST"
    error: dict[str, Any] = {"code": code, "message": refused.message, "details": {}}
    body = json.dumps({"error": error}).encode()
    status = HTTPStatus(refused.status)
    return (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode() + body


def _kind_of(name: str) -> str | None:
    """Return None for a header that is sent unchanged, else its name in lower case."""
    lowered = name.lower()
    kind = lowered if lowered == _LENGTH or lowered in _HOP_BY_HOP else None
    if len(_KINDS) < _KINDS_MAX:
        _KINDS[name] = kind
    return kind
