"""AccessLog: what a request is known by in every line, the span of it, and at its end one line."""

import logging
from contextvars import Token
from dataclasses import replace
from time import perf_counter
from typing import Any

from flask import Flask, Response, g, request

from controller.errors import ClientGone
from controller.logs import LINES, current_marks
from controller.metrics import METHODS
from controller.request import RequestParser
from controller.tracing import NO_SPAN, Span, Tracer

CARRIER = ("traceparent", "tracestate")
"""W3C Trace Context."""
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


class AccessLog:
    """The requests of one endpoint.

    Args:
        endpoint: the function's name.
    """

    def __init__(self, endpoint: str, parser: RequestParser, tracer: Tracer) -> None:
        self._endpoint = endpoint
        self._parser = parser
        self._tracer = tracer

    def observe(self, app: Flask) -> None:
        """Marks, answers and logs the requests of `app`."""
        app.before_request(self._begin)
        app.after_request(self._answered)
        app.teardown_request(self._end)

    def _begin(self) -> None:
        g.began = perf_counter()
        g.probe = self._endpoint == "health" or request.path in PROBES
        g.span = self._span()
        g.span.__enter__()
        trace = self._parser.trace(request.headers)
        own = g.span.traceparent
        g.trace = replace(trace, traceparent=own) if own else trace
        span = {"span.id": own.split("-")[2]} if own else {}
        g.marks_token = current_marks.set(g.trace.marks() | span)

    def _answered(self, response: Response) -> Response:
        response.headers["X-Request-ID"] = g.trace.http_request_id
        if "admission" in g:
            response.headers.update(g.admission.headers())
        g.status = response.status_code
        return response

    def _end(self, _: BaseException | None) -> None:
        """The answer is made, or its client is gone: then this is all that comes of the request."""
        token: Token[dict[str, Any] | None] | None = g.pop("marks_token", None)
        if token is None:
            return
        fields = self._fields(current_marks.get() or {})
        current_marks.reset(token)
        status = fields["http.response.status_code"]
        level = logging.DEBUG if g.probe and status < 400 else logging.INFO
        LINES.write(level, f"{fields['http.request.method']} /{self._endpoint} {status}", fields)
        self._end_span(g.span, fields)

    def _span(self) -> Span:
        if g.probe:
            return NO_SPAN
        return self._tracer.request(f"{_method()} /{self._endpoint}", _carrier())

    def _end_span(self, span: Span, fields: dict[str, Any]) -> None:
        if span is NO_SPAN:
            return
        span.note({there: fields[here] for here, there in IN_SPANS.items() if here in fields})
        if fields["http.response.status_code"] >= 499:
            span.failed(fields.get("error.code", "INTERNAL_ERROR"))
        span.__exit__()

    def _fields(self, marks: dict[str, Any]) -> dict[str, Any]:
        status = g.get("status", ClientGone.status)
        gone = {} if "status" in g else {"error.code": ClientGone.code}
        return {
            **gone,
            **marks,
            "http.request.method": _method(),
            "url.path": (request.script_root + request.path)[:PATH_MAX],
            "http.response.status_code": status,
            "event.duration": int((perf_counter() - g.began) * 1e9),
            "event.outcome": "success" if status < 400 else "failure",
        }


def _carrier() -> dict[str, str]:
    """What the client says of its trace."""
    return {name: request.headers[name] for name in CARRIER if name in request.headers}


def _method() -> str:
    """One that there is; what else a client writes there is not passed on."""
    return request.method if request.method in METHODS else "other"
