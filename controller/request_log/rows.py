"""Rows of the two logs. They are sent to PostgreSQL as JSON objects, many in one parameter."""

from datetime import datetime
from time import time_ns

import msgspec

from controller.observability.random_ids import random_digits

ENCODER = msgspec.json.Encoder()


class Row(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The columns of both logs. Documents are JSON texts. Null columns are left out."""

    id: str
    created_at: datetime
    endpoint: str
    http_request_id: str
    user_id: str
    call_id: str | None = None
    session_id: str | None = None
    language: str | None = None
    title: str | None = None
    status_code: int
    error_code: str | None = None

    def written(self) -> str:
        """Return the row as a JSON object."""
        return ENCODER.encode(self).decode()


class RequestRow(Row, kw_only=True, omit_defaults=True):
    """A row of `request_logs`."""

    traceparent: str | None = None
    script_hash: str | None = None
    request_payload: str
    response_data: str
    status: str
    cached: bool
    executed: bool
    counted: bool
    duration_ms: float
    execution_time_ms: float | None = None
    runtime_metrics: str | None = None
    version: int | None = None


class ErrorRow(Row, kw_only=True, omit_defaults=True):
    """A row of `error_logs`."""

    message: str
    details: str


def ordered_id() -> str:
    """Return a UUID that begins with the time in nanoseconds, so that an index of ids grows only at its end."""
    return f"{time_ns():016x}{random_digits()[:16]}"


def legal(text: str) -> str:
    """Return a text without NUL and lone surrogates, which PostgreSQL cannot store."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
