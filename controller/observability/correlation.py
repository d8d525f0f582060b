"""Correlation ids of a request, and the fields that all its log lines carry."""

import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import msgspec

from controller.observability.random_ids import random_uuid

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
CALL_ID = re.compile(r"[!-~]{1,128}", re.ASCII)
TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)


class CorrelationIds(msgspec.Struct, frozen=True):
    """The ids that identify one call in every log."""

    http_request_id: str
    call_id: str | None = None
    traceparent: str | None = None

    @classmethod
    def of(cls, environ: Mapping[str, Any]) -> "CorrelationIds":
        """Read the ids of a WSGI request. A missing or malformed `X-Request-ID` is replaced by a new one."""
        return cls(
            _matching(REQUEST_ID, environ.get("HTTP_X_REQUEST_ID")) or random_uuid(),
            _matching(CALL_ID, environ.get("HTTP_X_CALL_ID")),
            _matching(TRACEPARENT, environ.get("HTTP_TRACEPARENT")),
        )

    @property
    def trace_id(self) -> str | None:
        """The trace id, 32 hexadecimal digits. None: the call belongs to no trace."""
        return None if self.traceparent is None else self.traceparent.split("-")[1]

    def headers(self) -> dict[str, str]:
        """Return the headers that pass the ids to the runtime."""
        headers = {"X-Request-ID": self.http_request_id}
        if self.call_id is not None:
            headers["X-Call-Id"] = self.call_id
        if self.traceparent is not None:
            headers["traceparent"] = self.traceparent
        return headers

    def log_fields(self) -> dict[str, Any]:
        """Return the ids as log fields."""
        fields = {"http.request.id": self.http_request_id}
        if self.call_id is not None:
            fields["labels.call_id"] = self.call_id
        if self.trace_id is not None:
            fields["trace.id"] = self.trace_id
        return fields


#: Fields that every log line of the current call carries.
log_context: ContextVar[dict[str, Any] | None] = ContextVar("log_context", default=None)


def _matching(pattern: re.Pattern[str], given: str | None) -> str | None:
    return given if given is not None and pattern.fullmatch(given) else None
