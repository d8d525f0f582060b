"""The access log: one line per request, written in small batches."""

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
#: Fields of an access line with text from the client. They are masked.
FREE_TEXTS = ("url.path", "http.request.id", "labels.call_id")
ACCESS = logging.getLogger("access")
#: Seconds that lines are collected before they are written. A killed process (SIGKILL) loses them.
GATHERING = 0.005
LEVELS = {level: name.lower() for name, level in logging.getLevelNamesMapping().items()}
ALWAYS = {
    "ecs.version": ecs_logging.ECS_VERSION,
    "service.name": SERVICE,
    "event.dataset": "lambda.access",
    "log.logger": ACCESS.name,
}


class AccessLines:
    """Writes access lines, which have a fixed set of fields: see docs/adr/0013.

    Lines are collected for GATHERING seconds, or until they have the size of one atomic write to a pipe. So lines of
    several processes never mix.

    Args:
        descriptor: the file descriptor to write to.

    Attributes:
        masker: removes secrets from texts of clients.
        errors_only: whether requests that succeed have no line.
    """

    def __init__(self, descriptor: int) -> None:
        self.masker = DEFAULT_MASKER
        self.errors_only = False
        self._descriptor = descriptor
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._timer: Any = None

    def takes(self, level: int, status: int) -> bool:
        """Return whether a request of this level and status has a line, by `LOG_LEVEL` and `ACCESS_LOG`."""
        return ACCESS.isEnabledFor(level) and (status >= 400 or not self.errors_only)

    def write(self, level: int, message: str, fields: Mapping[str, Any]) -> None:
        """Add a line."""
        line = dumps(self._document(level, message, fields)) + b"\n"
        if self._bytes + len(line) > PIPE_BUF:
            self.flush()
        if not self._lines:
            self._flush_soon()
        self._lines.append(line)
        self._bytes += len(line)

    def flush(self) -> None:
        """Write the collected lines. Other threads may call this, too."""
        taken = []
        self._bytes = 0
        with suppress(IndexError):
            while True:
                taken.append(self._lines.popleft())
        data = b"".join(taken)
        # If stderr cannot be written there is no place to report it.
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
        # Created at the first line, in the serving process: a timer does not survive a fork.
        if self._timer is None:
            self._timer = get_hub().loop.timer(0.0, GATHERING, ref=False)
        if not self._timer.active:
            # `start` would call it in the next pass: libev keeps what is left of a timer's time when it stops.
            self._timer.again(self._gathered)

    def _gathered(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self.flush()


#: The access log of this process, on stderr.
LINES = AccessLines(2)
atexit.register(LINES.flush)
