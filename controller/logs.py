"""Our own log: one JSON line a record on stderr, in Elastic Common Schema, with the call's marks, masked.

docs/logs.md has the fields. Bodies, queries and headers are not logged; what else comes from outside is masked.
"""

import json
import logging
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import ecs_logging
import msgspec
from gevent import get_hub

from controller.masking import Masker

SERVICE = "lambda-controller"
EXCLUDED = ("log.original", "process.name", "process.thread")
"""What the library would add and says nothing here: the message once more, and threads that are greenlets."""
FREE_TEXTS = ("url.path", "http.request.id", "labels.call_id")
"""Fields of an access line that clients choose."""
ACCESS = logging.getLogger("access")
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


class MaskingFormatter(ecs_logging.StdlibFormatter):
    """Elastic Common Schema without secrets: in messages, tracebacks and extra fields."""

    def __init__(self, masker: Masker) -> None:
        super().__init__(exclude_fields=EXCLUDED, extra={"service.name": SERVICE})
        self._masker = masker

    def format_to_ecs(self, record: logging.LogRecord) -> dict[str, Any]:
        masked: dict[str, Any] = self._masker.document(super().format_to_ecs(record))
        return masked


class AccessFormatter(logging.Formatter):
    """The line of an answered request, in the same form, of fields that are known: see docs/adr/0013."""

    def __init__(self, masker: Masker) -> None:
        super().__init__()
        self._masker = masker
        self._fixed = {
            "ecs.version": ecs_logging.ECS_VERSION,
            "service.name": SERVICE,
            "event.dataset": "lambda.access",
            "log.logger": ACCESS.name,
        }

    def format(self, record: logging.LogRecord) -> str:
        fields = record.__dict__["fields"]
        for name in FREE_TEXTS:
            if name in fields:
                fields[name] = self._masker.text(fields[name])
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        head = {
            "@timestamp": f"{moment[:-6]}Z",
            "log.level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        return json.dumps(head | self._fixed | fields, separators=(",", ":"))


def configure(level: str, masker: Masker) -> None:
    """Sends every logger's records to stderr, masked. `level`: debug, info, warning or error."""
    handler, access = logging.StreamHandler(), logging.StreamHandler()
    handler.setFormatter(MaskingFormatter(masker))
    handler.addFilter(MarksFilter())
    access.setFormatter(AccessFormatter(masker))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    ACCESS.handlers, ACCESS.propagate = [access], False
    # The server's lines have a handler of their own, which masks nothing.
    server = logging.getLogger("gunicorn.error")
    server.handlers, server.propagate = [], True
    get_hub().print_exception = _log_exception  # type: ignore[method-assign,assignment]


def _log_exception(context: object, kind: Any, error: Any, traceback: Any) -> None:
    """What ends a greenlet that nobody waits for: gevent would print it in many lines, unmasked."""
    log.error("a greenlet failed", exc_info=(kind, error, traceback))
