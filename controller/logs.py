"""Our own log: one JSON line a record on stderr, in Elastic Common Schema, with the call's marks."""

import logging
from contextvars import ContextVar
from dataclasses import dataclass

import ecs_logging


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


def configure(level: str) -> None:
    """Sends every logger's records to stderr. `level`: debug, info, warning or error."""
    handler = logging.StreamHandler()
    handler.setFormatter(ecs_logging.StdlibFormatter())
    handler.addFilter(TraceFilter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
