"""A function for tests: the path selects its behaviour, the query names files that it waits for or writes.

With CLOSED in the environment it is a WSGI application instead, which notes its end in the file of that name. Its
path /until-drained is answered when the server has told it to take no more work, /stream in two parts.
"""

import json
import logging
import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

LOG = logging.getLogger("echo")

ANSWERS = {
    "/text": "grüß Gott",
    "/list": [1, "two", None],
    "/empty-list": [],
    "/dict": {"b": 42, "a": {"z": 1, "y": 2}},
    "/empty-dict": {},
    "/none": None,
    "/false": False,
    "/binary": bytes(range(256)),
    "/number": 7,
    "/full": {"statusCode": 201, "headers": {"X-Kind": "full", "Content-Type": "text/csv"}, "body": "a,b"},
    "/status": ("made", 201),
    "/cookies": ({"a": 1}, 202, [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]),
    "/pair": (3, 4),
}

if os.environ.get("BROKEN"):
    raise RuntimeError("broken as asked")


def wait_for(gate: Path) -> None:
    while not gate.exists():
        time.sleep(0.02)


# Loading lasts until the test opens the gate, so that it can look at what is not ready.
if os.environ.get("GATE"):
    wait_for(Path(os.environ["GATE"]))


def handle(event: Any, context: Any) -> Any:
    if event.path in BEHAVIOURS:
        return BEHAVIOURS[event.path](event, context)
    if event.path in ANSWERS:
        return ANSWERS[event.path]
    seen = {
        "method": event.method,
        "path": event.path,
        "query": event.query.to_dict(),
        "header": event.headers.get("X-Probe"),
        "bytes": len(event.body),
    }
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps(seen)}


def fail(event: Any, context: Any) -> Any:
    raise ValueError("as asked")


def hostname(event: Any, context: Any) -> str:
    return str(context.hostname)


def wait(event: Any, context: Any) -> str:
    """Write the file `begun`, and answer when the file `gate` exists."""
    LOG.info("begun %s", event.query["gate"])
    Path(event.query["begun"]).touch()
    wait_for(Path(event.query["gate"]))
    LOG.info("ended %s", event.query["gate"])
    return "waited"


def stream(event: Any, context: Any) -> dict[str, Any]:
    """Send an event, and another one when the file `gate` exists. Write the file `closed` at the end."""

    def parts() -> Iterator[str | bytes]:
        try:
            yield "data: öne\n\n"
            wait_for(Path(event.query["gate"]))
            LOG.info("the gate is open")
            yield b"data: two\n\n"
        finally:
            Path(event.query["closed"]).touch()

    return {"headers": {"Content-Type": "text/event-stream"}, "body": parts()}


def parts(event: Any, context: Any) -> Iterator[bytes]:
    return iter([b"\x00", b"\xff"])


def no_parts(event: Any, context: Any) -> Iterator[bytes]:
    return iter(())


def fail_at_once(event: Any, context: Any) -> Iterator[str]:
    raise ValueError("as asked")
    yield "never"


def fail_later(event: Any, context: Any) -> Iterator[str]:
    yield "a part"
    raise ValueError("as asked, after a part")


def log(event: Any, context: Any) -> str:
    """Write to the log in all ways."""
    LOG.info("in two\nlines")
    LOG.debug("too little to tell")
    print("printed")
    return "logged"


def log_long(event: Any, context: Any) -> str:
    LOG.info("x" * 200 * 1024)
    print("y" * 200 * 1024)
    return "logged"


def kill_worker(event: Any, context: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_server(event: Any, context: Any) -> None:
    os.kill(os.getppid(), signal.SIGKILL)


def end_server(event: Any, context: Any) -> None:
    os.kill(os.getppid(), signal.SIGTERM)


BEHAVIOURS = {
    "/raise": fail,
    "/hostname": hostname,
    "/wait": wait,
    "/stream": stream,
    "/parts": parts,
    "/no-parts": no_parts,
    "/fail-at-once": fail_at_once,
    "/fail-later": fail_later,
    "/log": log,
    "/log-long": log_long,
    "/kill-worker": kill_worker,
    "/kill-server": kill_server,
    "/end-server": end_server,
}


class Application:
    """The smallest application with `drain` and `close`."""

    def __init__(self) -> None:
        self._drained = False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        while environ["PATH_INFO"] == "/until-drained" and not self._drained:
            Path(os.environ["CLOSED"]).with_suffix(".busy").touch()
            time.sleep(0.02)
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        if environ["PATH_INFO"] == "/stream":
            return self._parts(Path(environ["QUERY_STRING"]))
        LOG.info("called")
        return [b"from the application"]

    def drain(self) -> None:
        self._drained = True

    def close(self) -> None:
        Path(os.environ["CLOSED"]).write_text("closed")

    def _parts(self, gate: Path) -> Iterator[bytes]:
        yield b"data: one\n\n"
        wait_for(gate)
        yield b"data: two\n\n"


if "CLOSED" in os.environ:
    app = Application()
