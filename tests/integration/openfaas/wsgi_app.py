"""The application of the server's tests: each path is one behaviour of an application."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import gevent
from gevent.event import Event
from http_limits import Timeouts
from http_worker import HttpWorker

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

#: Set to let `/hold` continue.
RELEASE = Event()


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    return BEHAVIOURS.get(environ["PATH_INFO"], echo)(environ, start_response)


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Return the request as JSON."""
    body = environ["wsgi.input"].read()
    document = {
        "method": environ["REQUEST_METHOD"],
        "path": environ["PATH_INFO"],
        "query": environ["QUERY_STRING"],
        "length": environ.get("CONTENT_LENGTH"),
        "digest": hashlib.sha256(body).hexdigest(),
        "headers": {name: value for name, value in environ.items() if name.startswith("HTTP_")},
    }
    start_response("200 OK", [("Content-Type", "application/json"), ("Connection", "x"), ("Server", "x")])
    return [json.dumps(document).encode()]


def stream(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    start_response("200 OK", [])
    yield b"one,"
    yield b""
    yield b"two"


def announced(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Length", "7")])
    yield b"one,"
    yield b"two"


def short(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Length", "10")])
    yield b"one,"


def written(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    write = start_response("200 OK", [])
    write(b"written,")
    return [b"returned"]


def nothing(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("204 No Content", [])
    return [b"not to be sent"]


def split(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("X-Split", "a\r\nX-Injected: b")])
    return [b""]


def fail(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    raise FileNotFoundError("as asked: a secret detail")


def large(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"x" * (8 << 20)]


def hold(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer after a request for /release. If the client disconnects, write that to the file in the query."""
    note = environ["QUERY_STRING"]
    if note:
        environ["client.hangup"](lambda: Path(note).write_text("gone"))
    RELEASE.wait()
    start_response("200 OK", [])
    return [b"released"]


def release(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    RELEASE.set()
    start_response("200 OK", [])
    return [b""]


def broken(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    start_response("200 OK", [])
    yield b"one,"
    raise FileNotFoundError("as asked: in the middle")


def long(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Length", "4")])
    yield b"one,"
    yield b"HTTP/1.1 200 OK\r\n\r\n"


def endless(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    """Yield parts as long as the client reads them. Write the end to the file in the query."""
    start_response("200 OK", [])
    try:
        while True:
            yield b"x" * 100_000
            gevent.sleep(0.01)
    finally:
        Path(environ["QUERY_STRING"]).write_text("closed")


def silent(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    return [b"without a status"]


def twice(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [])
    start_response("200 OK", [])
    return [b""]


def work(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Compute for a millisecond."""
    end = perf_counter() + 0.001
    while perf_counter() < end:
        pass
    start_response("200 OK", [("Content-Length", "4")])
    return [b"done"]


def announcing(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """An application that accepts short bodies only, and refuses others in its own format."""
    if int(environ.get("CONTENT_LENGTH") or 0) > announcing.body_max_bytes:  # type: ignore[attr-defined]
        start_response("413 Content Too Large", [("X-Own", "words")])
        return [b"too much"]
    return echo(environ, start_response)


announcing.body_max_bytes = 1000  # type: ignore[attr-defined]


def pid(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]


BEHAVIOURS: dict[str, Application] = {
    "/stream": stream,
    "/announced": announced,
    "/short": short,
    "/written": written,
    "/nothing": nothing,
    "/split": split,
    "/fail": fail,
    "/large": large,
    "/hold": hold,
    "/release": release,
    "/pid": pid,
    "/broken": broken,
    "/long": long,
    "/endless": endless,
    "/silent": silent,
    "/twice": twice,
    "/work": work,
}


class ImpatientWorker(HttpWorker):
    """Our worker with short timeouts, for tests of slow clients."""

    timeouts = Timeouts(
        head=0.6, body=0.6, body_rate=1000, write=0.6, write_rate=1 << 20, linger=0.3, leave=0.2
    )
