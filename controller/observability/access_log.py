"""The access log: one line for each answered request, gathered for a few milliseconds."""

import atexit
import logging
import os
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from select import PIPE_BUF
from typing import Any

import ecs_logging
from gevent import get_hub

from controller.json_codec import dumps
from controller.observability.masking import DEFAULT_MASKER

SERVICE = "lambda-controller"
#: Fields of an access line that clients choose.
FREE_TEXTS = ("url.path", "http.request.id", "labels.call_id")
ACCESS = logging.getLogger("access")
#: Seconds in which lines of requests gather. A process that is killed (SIGKILL) loses these.
GATHERING = 0.005
LEVELS = {level: name.lower() for name, level in logging.getLevelNamesMapping().items()}
ALWAYS = {
    "ecs.version": ecs_logging.ECS_VERSION,
    "service.name": SERVICE,
    "event.dataset": "lambda.access",
    "log.logger": ACCESS.name,
}


class AccessLines:
    """The lines of answered requests, in the same form, of fields that are known: see docs/adr/0013.

    They gather for GATHERING seconds, or until together they are as long as a pipe takes in one piece, so that those
    of several processes never mix within a line.

    Args:
        descriptor: where they are written to.
    """

    def __init__(self, descriptor: int) -> None:
        self.masker = DEFAULT_MASKER
        self._descriptor = descriptor
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._timer: Any = None

    def write(self, level: int, message: str, fields: Mapping[str, Any]) -> None:
        """Takes a line, unless `LOG_LEVEL` leaves it out."""
        if not ACCESS.isEnabledFor(level):
            return
        line = dumps(self._document(level, message, fields)) + b"\n"
        if self._bytes + len(line) > PIPE_BUF:
            self.flush()
        if not self._lines:
            self._flush_soon()
        self._lines.append(line)
        self._bytes += len(line)

    def flush(self) -> None:
        """Writes what has gathered. Threads may ask for it as well."""
        taken = []
        self._bytes = 0
        with suppress(IndexError):
            while True:
                taken.append(self._lines.popleft())
        data = b"".join(taken)
        # Where nobody takes them there is nowhere to say so.
        with suppress(OSError):
            while data:
                data = data[os.write(self._descriptor, data) :]

    def _document(self, level: int, message: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        document = {
            "@timestamp": datetime.now(UTC),
            "log.level": LEVELS[level],
            "message": message,
            **ALWAYS,
            **fields,
        }
        for name in FREE_TEXTS:
            if name in document:
                document[name] = self.masker.text(document[name])
        return document

    def _flush_soon(self) -> None:
        # Made at the first line, in the process that serves: a timer is of no use to those that are forked from it.
        if self._timer is None:
            self._timer = get_hub().loop.timer(GATHERING, ref=False)
        if not self._timer.active:
            self._timer.start(self.flush)


#: On stderr.
LINES = AccessLines(2)
atexit.register(LINES.flush)
