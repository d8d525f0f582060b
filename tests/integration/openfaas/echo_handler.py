"""A function for tests: its path says in which form it answers.

With CLOSED in the environment it is a WSGI application instead, which notes its end in the file of that name. Its
path /until-drained is answered when the server has told it to take no more work.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

ANSWERS = {
    "/text": "grüß Gott",
    "/list": [1, "two", None],
    "/dict": {"answer": 42},
    "/none": None,
    "/binary": bytes(range(256)),
    "/number": 7,
    "/full": {"statusCode": 201, "headers": {"X-Kind": "full", "Content-Type": "text/csv"}, "body": "a,b"},
}

if os.environ.get("BROKEN"):
    raise RuntimeError("broken as asked")

# Loading lasts until the test opens the gate, so that it can look at what is not ready.
if os.environ.get("GATE"):
    while not Path(os.environ["GATE"]).exists():
        time.sleep(0.02)


def handle(event: Any, context: Any) -> Any:
    if event.path == "/raise":
        raise ValueError("as asked")
    if event.path == "/exit":
        os.kill(os.getppid(), 9)
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


class Application:
    """The smallest application with an end."""

    def __init__(self) -> None:
        self._drained = False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        while environ["PATH_INFO"] == "/until-drained" and not self._drained:
            Path(os.environ["CLOSED"]).with_suffix(".busy").touch()
            time.sleep(0.02)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"from the application"]

    def drain(self) -> None:
        self._drained = True

    def close(self) -> None:
        Path(os.environ["CLOSED"]).write_text("closed")


if "CLOSED" in os.environ:
    app = Application()
