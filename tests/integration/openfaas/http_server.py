"""gunicorn with a worker and an application of the tests, and clients that send raw bytes."""

import io
import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, NamedTuple, cast

from tests.conftest import ROOT

TEMPLATE = ROOT / "template" / "python3-gevent"
OURS = "http_worker.HttpWorker"
HOST = b"Host: localhost\r\n"
CLOSE = b"Connection: close\r\n"
TIMEOUT = 60.0


@dataclass
class HttpServer:
    """gunicorn with the worker and `wsgi_app`."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), TIMEOUT)

    def send(self, request: bytes) -> bytes:
        """Send bytes and return everything until the server closes the connection."""
        with self.connect() as client:
            client.sendall(request)
            return everything(client)

    def ask(self, path: str) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def worker(self) -> int:
        """Return the pid of the worker that serves."""
        return int(json.loads(self.ask("/pid")[1]))


@contextmanager
def serving(
    log_file: Path, worker: str = OURS, app: str = "wsgi_app:app", settings: Sequence[str] = ()
) -> Iterator[HttpServer]:
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener, log_file.open("wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "-k", worker, "--keep-alive", "2"),
                *("--no-control-socket", "--graceful-timeout", "15", "-b", f"fd://{listener.fileno()}"),
                *("--pythonpath", f"{TEMPLATE},{Path(__file__).parent}", *settings, app),
            ],
            pass_fds=(listener.fileno(),),
            stdout=log,
            stderr=log,
        )
        port = listener.getsockname()[1]
    served = HttpServer(process, port, log_file)
    try:
        assert served.ask("/")[0] == 200
        yield served
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        assert process.wait(TIMEOUT) == 0, served.log.read_text()


def everything(client: socket.socket) -> bytes:
    received = b""
    while part := client.recv(1 << 16):
        received += part
    return received


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def seen(answer: bytes) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(body_of(answer))
    return document


def read_one(client: socket.socket) -> dict[str, Any]:
    """Read one response with a length from a connection that stays open."""
    answer = HTTPResponse(client)
    answer.begin()
    document: dict[str, Any] = json.loads(answer.read())
    return document


class Answer(NamedTuple):
    """One of several responses on a connection."""

    status: int
    body: bytes


def answers(stream: bytes, *methods: str) -> list[Answer]:
    """Parse responses to requests with these methods, then to GET. Fails if they are no valid HTTP."""
    reader = _Received(stream)
    found: list[Answer] = []
    while reader.peek():
        method = methods[len(found)] if len(found) < len(methods) else "GET"
        answer = HTTPResponse(cast("socket.socket", reader), method=method)
        try:
            answer.begin()
            found.append(Answer(answer.status, answer.read()))
        except HTTPException as error:
            raise AssertionError(f"no HTTP after {len(found)} answers: {stream!r}") from error
    return found


class _Received(io.BufferedReader):
    """Received bytes as the socket of several HTTPResponses, none of which may close it."""

    def __init__(self, stream: bytes) -> None:
        super().__init__(cast("io.RawIOBase", io.BytesIO(stream)))

    def makefile(self, _: str) -> "_Received":
        return self

    def close(self) -> None:
        """Do nothing: other responses follow."""
