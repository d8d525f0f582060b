"""A function for tests: its path says what it does. `VERSION` is what the next version differs in."""

import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from gevent import sleep

VERSION = "one"

Environ = dict[str, Any]


def greeting(environ: Environ) -> Iterable[bytes]:
    return [b"hello, " + environ["wsgi.input"].read()]


def version(environ: Environ) -> Iterable[bytes]:
    return [f"{VERSION} {os.getpid()} {os.getppid()}".encode()]


def echo(environ: Environ) -> Iterable[bytes]:
    """All that arrived."""
    body = environ["wsgi.input"].read()
    document = {
        "method": environ["REQUEST_METHOD"],
        "path": environ["PATH_INFO"],
        "query": environ["QUERY_STRING"],
        "bytes": len(body),
        "digest": hashlib.sha256(body).hexdigest(),
        "headers": {name: value for name, value in environ.items() if name.startswith("HTTP_")},
    }
    return [json.dumps(document).encode()]


def secret(environ: Environ) -> Iterable[bytes]:
    return [Path(os.environ["GREETING_FILE"]).read_bytes()]


def gated(environ: Environ) -> Iterator[bytes]:
    """Two parts, the second once the file that the query names is there; notes a client that hangs up before."""
    gate = Path(environ["QUERY_STRING"])
    environ["client.hangup"](gate.with_suffix(".hangup").touch)
    if environ["PATH_INFO"] == "/stream":
        yield b"first\n"
    gate.with_suffix(".busy").touch()
    while not gate.exists():
        sleep(0.02)
    yield b"second\n"


def shout(environ: Environ) -> Iterable[bytes]:
    """One long line between two short ones."""
    print("before", "x" * 200_000, "after", sep="\n", flush=True)
    return [b"done"]


def die(environ: Environ) -> Iterable[bytes]:
    print("as asked", file=sys.stderr, flush=True)
    os.kill(os.getppid(), signal.SIGKILL)
    return [b""]


BEHAVIOURS: dict[str, Callable[[Environ], Iterable[bytes]]] = {
    "/": greeting,
    "/version": version,
    "/secret": secret,
    "/stream": gated,
    "/wait": gated,
    "/shout": shout,
    "/die": die,
}


def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    behaviour = BEHAVIOURS.get(environ["PATH_INFO"], echo)
    content_type = "text/event-stream" if behaviour is gated else "application/octet-stream"
    start_response("200 OK", [("Content-Type", content_type)])
    return behaviour(environ)
