"""Exchange: one request and its answer, as lines, figures and headers tell of them, whoever serves it.

Flask's apps and the plain WSGI of `controller.web.execute` have the same three moments: a request begins, is
answered, and ends. It ends unanswered when its client is gone.
"""

import logging
from time import perf_counter
from typing import Any

import msgspec

from controller.errors import ClientGone, ServiceError
from controller.limits.rate_limit import Admission
from controller.models.registered import Identity
from controller.observability.access_log import LINES
from controller.observability.correlation import Trace, current_marks
from controller.observability.metrics import METHODS, MetricsCollector
from telemetry.tracing import NO_SPAN, Span, Tracer

PATH_MAX = 1024
"""Characters of a path that are logged; an index keeps no longer words."""
PROBES = ("/health", "/metrics")
"""Asked every few seconds by machines: that all is well is not worth a line."""
IN_SPANS = {
    "http.request.method": "http.request.method",
    "http.response.status_code": "http.response.status_code",
    "faas.name": "faas.name",
    "faas.coldstart": "faas.coldstart",
    "labels.cache": "lambda.cache",
    "labels.language": "lambda.language",
}
"""Fields of the line that the span has as well."""


class Reception:
    """Begins the exchanges of one endpoint.

    Args:
        endpoint: the function's name.
    """

    def __init__(self, endpoint: str, metrics: MetricsCollector, tracer: Tracer) -> None:
        self.endpoint = endpoint
        self.metrics = metrics
        self._tracer = tracer

    def begin(self, environ: dict[str, Any]) -> "Exchange":
        """From here on all that the present greenlet does is marked as done for this request."""
        method = environ["REQUEST_METHOD"]
        method = method if method in METHODS else "other"
        probe = self.endpoint == "health" or environ["PATH_INFO"] in PROBES
        span = NO_SPAN if probe else self._tracer.request(f"{method} /{self.endpoint}", environ)
        return Exchange(self, method, _path(environ), Trace.of(environ), span, probe=probe)


class Exchange:
    """What is known of one request so far."""

    def __init__(
        self,
        reception: Reception,
        method: str,
        path: str,
        trace: Trace,
        span: Span,
        *,
        probe: bool,
    ) -> None:
        self.began = perf_counter()
        self.admission: Admission | None = None
        self.counted = False
        """Whether the workflow has counted it."""
        self._reception = reception
        self._method = method
        self._path = path
        self._probe = probe
        self._span = span.__enter__()
        own = span.traceparent
        self.trace = msgspec.structs.replace(trace, traceparent=own) if own else trace
        marks = self.trace.marks()
        if own:
            marks["span.id"] = own.split("-")[2]
        self._marks: dict[str, Any] = marks
        self._before = current_marks.set(marks)
        self._code = "ok"
        self._status: int | None = None

    def called_by(self, identity: Identity) -> None:
        """Its token holds."""
        self._marks["user.id"] = identity.subject

    def failed(self, error: ServiceError) -> None:
        """It will be answered with this error."""
        self._code, self.counted = error.code.lower(), error.counted
        self._marks.update(error.marks())

    def answered(self, status: int) -> dict[str, str]:
        """The answer is made; gives the headers that every answer has."""
        self._status = status
        self._reception.metrics.answered(
            self._reception.endpoint,
            self._method,
            status,
            perf_counter() - self.began,
            self.trace.trace_id,
            uncounted=None if self.counted else self._code,
        )
        headers = {"X-Request-ID": self.trace.http_request_id}
        return headers if self.admission is None else headers | self.admission.headers()

    def end(self) -> None:
        """Nothing more comes of it, be it that the answer is sent or that its client is gone: time for its line."""
        current_marks.reset(self._before)
        fields = self._fields()
        status = fields["http.response.status_code"]
        level = logging.DEBUG if self._probe and status < 400 else logging.INFO
        LINES.write(level, f"{self._method} /{self._reception.endpoint} {status}", fields)
        self._end_span(fields)

    def _end_span(self, fields: dict[str, Any]) -> None:
        span = self._span
        if span is NO_SPAN:
            return
        span.note({there: fields[here] for here, there in IN_SPANS.items() if here in fields})
        if fields["http.response.status_code"] >= 499:
            span.failed(fields.get("error.code", "INTERNAL_ERROR"))
        span.__exit__()

    def _fields(self) -> dict[str, Any]:
        status, gone = self._status, {}
        if status is None:
            status, gone = ClientGone.status, {"error.code": ClientGone.code}
        return {
            **gone,
            **self._marks,
            "http.request.method": self._method,
            "url.path": self._path,
            "http.response.status_code": status,
            "event.duration": int((perf_counter() - self.began) * 1e9),
            "event.outcome": "success" if status < 400 else "failure",
        }


def _path(environ: dict[str, Any]) -> str:
    """As the client wrote it, decoded."""
    path: str = (environ["SCRIPT_NAME"] + environ["PATH_INFO"])[:PATH_MAX]
    return path if path.isascii() else path.encode("latin-1").decode("utf-8", "replace")
