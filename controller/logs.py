"""Our own log: one JSON line a record on stderr, in Elastic Common Schema, with the call's marks, masked."""

import logging
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import ecs_logging

from controller.masking import Masker


@dataclass(frozen=True, slots=True)
class Trace:
    """The marks by which one call is found again in every log."""

    http_request_id: str
    call_id: str | None = None
    traceparent: str | None = None

    def headers(self) -> dict[str, str]:
        """What is passed on to the runtime."""
        marks = {
            "X-Request-ID": self.http_request_id,
            "X-Call-Id": self.call_id,
            "traceparent": self.traceparent,
        }
        return {name: value for name, value in marks.items() if value}


current_trace: ContextVar[Trace | None] = ContextVar("current_trace", default=None)


class TraceFilter(logging.Filter):
    """Puts the present call's marks on every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        trace = current_trace.get()
        if trace is not None:
            record.__dict__["http.request.id"] = trace.http_request_id
            record.__dict__.update({"labels": {"call_id": trace.call_id}} if trace.call_id else {})
        return True


class MaskingFormatter(ecs_logging.StdlibFormatter):
    """Elastic Common Schema without secrets: in messages, tracebacks and extra fields."""

    def __init__(self, masker: Masker) -> None:
        super().__init__()
        self._masker = masker

    def format_to_ecs(self, record: logging.LogRecord) -> dict[str, Any]:
        masked: dict[str, Any] = self._masker.document(super().format_to_ecs(record))
        return masked


def configure(level: str, masker: Masker) -> None:
    """Sends every logger's records to stderr, masked. `level`: debug, info, warning or error."""
    handler = logging.StreamHandler()
    handler.setFormatter(MaskingFormatter(masker))
    handler.addFilter(TraceFilter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
