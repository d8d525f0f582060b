"""Our own log: one JSON line a record on stderr, in Elastic Common Schema, with the call's marks, masked.

docs/logs.md has the fields. Bodies, queries and headers are not logged; what else comes from outside is masked.
"""

import atexit
import logging
import os
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from select import PIPE_BUF
from typing import Any, TextIO

import ecs_logging
import msgspec
from gevent import get_hub

from controller.json_codec import dumps
from controller.observability.masking import DEFAULT_MASKER, Masker
from telemetry.ecs_logging import Formatter, send_everything_to

SERVICE = "lambda-controller"
FREE_TEXTS = ("url.path", "http.request.id", "labels.call_id")
"""Fields of an access line that clients choose."""
ACCESS = logging.getLogger("access")
GATHERING = 0.005
"""Seconds in which lines of requests gather. A process that is killed (SIGKILL) loses these."""
LEVELS = {level: name.lower() for name, level in logging.getLevelNamesMapping().items()}
ALWAYS = {
    "ecs.version": ecs_logging.ECS_VERSION,
    "service.name": SERVICE,
    "event.dataset": "lambda.access",
    "log.logger": ACCESS.name,
}
log = logging.getLogger(__name__)


class Trace(msgspec.Struct, frozen=True):
    """The marks by which one call is found again in every log."""

    http_request_id: str
    call_id: str | None = None
    traceparent: str | None = None

    @property
    def trace_id(self) -> str | None:
        """32 hexadecimal digits, where the call belongs to a trace."""
        return None if self.traceparent is None else self.traceparent.split("-")[1]

    def headers(self) -> dict[str, str]:
        """What is passed on to the runtime."""
        headers = {"X-Request-ID": self.http_request_id}
        if self.call_id is not None:
            headers["X-Call-Id"] = self.call_id
        if self.traceparent is not None:
            headers["traceparent"] = self.traceparent
        return headers

    def marks(self) -> dict[str, Any]:
        """The same as fields of the log."""
        marks = {"http.request.id": self.http_request_id}
        if self.call_id is not None:
            marks["labels.call_id"] = self.call_id
        if self.trace_id is not None:
            marks["trace.id"] = self.trace_id
        return marks


current_marks: ContextVar[dict[str, Any] | None] = ContextVar("current_marks", default=None)
"""What is known so far of the call under way, by the names of its fields."""


def mark(fields: Mapping[str, Any]) -> None:
    """Adds to what every later line of the present call has; outside of a call it does nothing."""
    marks = current_marks.get()
    if marks is not None:
        marks.update(fields)


class MarksFilter(logging.Filter):
    """Puts the present call's marks on every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.__dict__.update(current_marks.get() or {})
        return True


class MaskingFormatter(Formatter):
    """Elastic Common Schema without secrets: in messages, tracebacks and extra fields."""

    def __init__(self, masker: Masker) -> None:
        super().__init__(SERVICE)
        self._masker = masker

    def format_to_ecs(self, record: logging.LogRecord) -> dict[str, Any]:
        masked: dict[str, Any] = self._masker.document(super().format_to_ecs(record))
        return masked


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


LINES = AccessLines(2)
"""On stderr."""
atexit.register(LINES.flush)


class LaterHandler(logging.StreamHandler[TextIO]):
    """Writes a record to stderr at once, after the lines of requests that were answered before."""

    def emit(self, record: logging.LogRecord) -> None:
        LINES.flush()
        super().emit(record)


def configure(level: str, masker: Masker) -> None:
    """Sends every logger's records to stderr, masked. `level`: debug, info, warning or error."""
    LINES.masker = masker
    handler = LaterHandler()
    handler.setFormatter(MaskingFormatter(masker))
    handler.addFilter(MarksFilter())
    send_everything_to(handler, level, log)
