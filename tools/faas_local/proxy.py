"""Hands calls on to functions, and their answers back."""

import contextlib
import http.client
import time
import uuid
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import gevent
from gevent import socket

from local.supervisor.ports import LOOPBACK
from tools.faas_local.deployment import Refused, require_namespace
from tools.faas_local.function import Function
from tools.faas_local.functions import Functions
from tools.faas_local.replica import Replica

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

PREFIX = "/function/"
CHUNK = 64 << 10
CONNECT_TIMEOUT = 5.0
#: Of one connection, and so for neither side of us to hand on.
HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
}

Headers = list[tuple[str, str]]


class Proxy:
    """The WSGI application below /function/.

    Args:
        timeout: seconds that a function may take until it begins its answer, and between two parts of it.
    """

    def __init__(self, functions: Functions, timeout: float) -> None:
        self._functions = functions
        self._timeout = timeout

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        try:
            name, target = _addressee(environ["server.target"])
            function = self._functions.get(name)
            yield from self._call(function, Call(environ, target), start_response)
        except Refused as refused:
            text = f"{refused}\n".encode()
            yield from _answer(start_response, refused.status, text)

    def _call(self, function: Function, call: "Call", start_response: "StartResponse") -> Iterator[bytes]:
        for replica in function.candidates():
            with replica.call():
                connection = self._connection(replica)
                if connection is None:
                    continue
                function.calls += 1
                with contextlib.closing(connection):
                    yield from self._forward(connection, call, start_response)
                return
        raise Refused(503, f"{function.deployment.service} is not ready: nothing listens")

    def _connection(self, replica: Replica) -> http.client.HTTPConnection | None:
        """None when the process is gone and that has not been noticed yet."""
        connection = http.client.HTTPConnection(LOOPBACK, replica.port, timeout=CONNECT_TIMEOUT)
        try:
            connection.connect()
        except OSError:
            return None
        connection.sock.settimeout(self._timeout)
        return connection

    def _forward(
        self, connection: http.client.HTTPConnection, call: "Call", start_response: "StartResponse"
    ) -> Iterator[bytes]:
        try:
            call.send(connection)
            with ending_with(call.client, connection.sock):
                answer = connection.getresponse()
        except TimeoutError:
            raise Refused(502, f"the function did not answer in {self._timeout:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            raise Refused(502, f"the function did not answer: {error or type(error).__name__}") from error
        own = [mark for mark in call.marks if mark[0] not in answer.headers]
        start_response(f"{answer.status} {answer.reason}", _end_to_end(answer.getheaders()) + own)
        while part := answer.read1(CHUNK):
            yield part


class Call:
    """A client's request, as the function is to get it.

    Args:
        target: path and query below the function's name, as they came.
    """

    def __init__(self, environ: dict[str, Any], target: str) -> None:
        self._method: str = environ["REQUEST_METHOD"]
        self._target = target
        self._body = environ["wsgi.input"]
        self._chunked = environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked"
        self.client: socket.socket = environ["server.client"]
        self.marks: Headers = [
            ("X-Call-Id", environ.get("HTTP_X_CALL_ID") or str(uuid.uuid4())),
            ("X-Start-Time", str(time.time_ns())),
        ]
        added = dict(self.marks) | _forwarded(environ)
        replaced = {name.lower() for name in added}
        given = [pair for pair in _end_to_end(environ["server.headers"]) if pair[0].lower() not in replaced]
        self._headers = [*given, *added.items()]

    def send(self, connection: http.client.HTTPConnection) -> None:
        """Raises OSError, or TimeoutError."""
        connection.putrequest(self._method, self._target, skip_host=True, skip_accept_encoding=True)
        for name, value in self._headers:
            connection.putheader(name, value)
        if self._chunked:
            connection.putheader("Transfer-Encoding", "chunked")
        parts = iter(lambda: self._body.read(CHUNK), b"")
        # A function may answer, and close, before it has read all: its answer counts.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.endheaders(parts, encode_chunked=self._chunked)


def _forwarded(environ: dict[str, Any]) -> dict[str, str]:
    """Where the call comes from, as a gateway says it."""
    via = environ.get("HTTP_X_FORWARDED_FOR")
    sender = environ["REMOTE_ADDR"]
    return {
        "X-Forwarded-For": f"{via}, {sender}" if via else sender,
        "X-Forwarded-Host": environ.get("HTTP_X_FORWARDED_HOST") or environ.get("HTTP_HOST", ""),
    }


def _addressee(target: str) -> tuple[str, str]:
    """The function's name, and the path and query that it gets to see. Raises Refused."""
    path, mark, query = target.partition("?")
    name, _, rest = path.removeprefix(PREFIX).partition("/")
    name, _, namespace = unquote(name).partition(".")
    require_namespace(namespace)
    return name, f"/{rest}{mark}{query}"


def _end_to_end(headers: Iterable[tuple[str, str]]) -> Headers:
    headers = list(headers)
    named = {
        name.strip().lower()
        for key, value in headers
        if key.lower() == "connection"
        for name in value.split(",")
    }
    return [(name, value) for name, value in headers if name.lower() not in HOP_BY_HOP | named]


def _answer(start_response: "StartResponse", status: int, text: bytes) -> Iterator[bytes]:
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(text))),
        # By this a client can tell our answers from the functions' own.
        ("X-OpenFaaS-Internal", "provider"),
    ]
    start_response(f"{status} {http.client.responses[status]}", headers)
    yield text


@contextlib.contextmanager
def ending_with(client: socket.socket, upstream: socket.socket) -> Iterator[None]:
    """The connection `upstream` is cut when the client hangs up meanwhile, which its function notices.

    The client's request must have been read to its end.
    """
    watcher = gevent.spawn(_watch, client, upstream)
    try:
        yield
    finally:
        watcher.kill()


def _watch(client: socket.socket, upstream: socket.socket) -> None:
    with contextlib.suppress(OSError):
        socket.wait_read(client.fileno())
        # Anything else is the client's next request, which waits.
        if client.recv(1, socket.MSG_PEEK) == b"":
            upstream.shutdown(socket.SHUT_RDWR)
