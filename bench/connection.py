"""One kept-alive HTTP connection, spoken by hand: a library's client would take a good part of what is measured."""

import re
import socket
from collections.abc import Mapping
from typing import NamedTuple

from gevent import socket as gevent_socket

from local.supervisor.ports import LOOPBACK

#: Seconds without a byte.
TIMEOUT = 120.0
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


class Answer(NamedTuple):
    """A status and a body."""

    status: int
    body: bytes


class UnexpectedAnswer(Exception):
    """A request of a preparation failed. The message has the answer."""


class Connection:
    """Sends one request at a time to `port`; `headers` go with each of them.

    Args:
        cooperative: let other greenlets work while this one waits.
    """

    def __init__(self, port: int, headers: Mapping[str, str], *, cooperative: bool = False) -> None:
        lines = {"Host": LOOPBACK, "Content-Type": "application/json", **headers}
        self._head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        connect = gevent_socket.create_connection if cooperative else socket.create_connection
        self._socket = connect((LOOPBACK, port), TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get(self, path: str) -> Answer:
        self._socket.sendall(f"GET {path} HTTP/1.1\r\n{self._head}\r\n".encode())
        return self._answer()

    def post(self, path: str, body: bytes, lines: str = "") -> Answer:
        """`lines`: further headers, each with its CRLF. Raises OSError."""
        head = f"POST {path} HTTP/1.1\r\n{self._head}{lines}Content-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode() + body)
        return self._answer()

    def close(self) -> None:
        self._socket.close()

    def _answer(self) -> Answer:
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more()
        head, _, body = received.partition(b"\r\n\r\n")
        found = _LENGTH.search(head + b"\r\n")
        length = int(found.group(1)) if found else 0
        parts = [body]
        while (length := length - len(parts[-1])) > 0:
            parts.append(self._more())
        return Answer(int(head[9:12]), b"".join(parts))

    def _more(self) -> bytes:
        part: bytes = self._socket.recv(1 << 20)
        if not part:
            raise ConnectionError("the server closed the connection")
        return part
