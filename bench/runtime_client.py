"""The controller's two calls to a runtime, over one kept-alive connection, timed."""

import hashlib
import itertools
import json
import re
import socket
import time
from typing import Any, NamedTuple

from local.port import LOOPBACK

TIMEOUT = 120.0
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


class Timed(NamedTuple):
    """An answer and how long it took, in milliseconds."""

    document: dict[str, Any]
    took: float


class RuntimeClient:
    """Calls the runtime of `language` at `port`; every new tenant gets workers of its own.

    It speaks HTTP by hand: the standard library's client would take a quarter of the time that is measured.
    """

    def __init__(self, language: str, port: int, secret: str) -> None:
        self._path = f"/runtime/{language}/bench"
        self._head = f"Host: {LOOPBACK}\r\nX-Runtime-Secret: {secret}\r\nContent-Type: application/json"
        self._socket = socket.create_connection((LOOPBACK, port), TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._tenants = itertools.count()

    def new_tenant(self) -> str:
        return f"tenant-{next(self._tenants)}"

    def prepare(self, script: str, tenant: str) -> Timed:
        return self._post(f"{self._path}/prepare", script, tenant, {"script_content": script})

    def run(self, script: str, tenant: str, **more: Any) -> Timed:
        """Run a script by its hash, or by what else is said."""
        body = {"request_id": "bench", "params": {"n": 1}, "context": {}, "timeout_ms": 30_000}
        answer = self._post(self._path, script, tenant, body | {"isolation": "session"} | more)
        if answer.document["result"] != 2:
            raise ValueError(f"a wrong result: {answer.document}")
        return answer

    def close(self) -> None:
        self._socket.close()

    def _post(self, path: str, script: str, tenant: str, more: dict[str, Any]) -> Timed:
        script_hash = hashlib.sha256(script.encode()).hexdigest()
        body = json.dumps({"tenant": tenant, "script_hash": script_hash, "compile_options": {}, **more})
        request = (
            f"POST {path} HTTP/1.1\r\n{self._head}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        started = time.perf_counter()
        self._socket.sendall(request)
        head, received = self._answer()
        took = (time.perf_counter() - started) * 1000
        if not head.startswith(b"HTTP/1.1 200 "):
            raise ValueError(f"{path} answered {head.decode()} {received.decode()}")
        return Timed(json.loads(received), took)

    def _answer(self) -> tuple[bytes, bytes]:
        """Head and body of one answer."""
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more()
        head, _, body = received.partition(b"\r\n\r\n")
        found = _LENGTH.search(head + b"\r\n")
        length = int(found.group(1)) if found else 0
        while len(body) < length:
            body += self._more()
        return head, body

    def _more(self) -> bytes:
        part = self._socket.recv(1 << 20)
        if not part:
            raise ConnectionError("the runtime closed the connection")
        return part
