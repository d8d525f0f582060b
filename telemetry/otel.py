"""Spans of OpenTelemetry's SDK, exported over OTLP. `factory` imports it if the environment requests traces."""

import os
import time
from collections.abc import Iterable, Mapping
from contextvars import Token
from typing import Any, Self

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from telemetry.operation_timer import OperationTimer
from telemetry.span_export import SpanExport
from telemetry.tracing import NO_ATTRIBUTES, NO_SPAN, Attributes, Span, Tracer

PROPAGATOR = TraceContextTextMapPropagator()
FAILED = Status(StatusCode.ERROR)
#: The headers of a trace, and their keys in a WSGI environ.
CARRIER = {"traceparent": "HTTP_TRACEPARENT", "tracestate": "HTTP_TRACESTATE"}


class RealSpan(Span):
    """A span of a trace.

    Args:
        span: The span of the SDK.
        parent: The context of its parent. None: the current context.
    """

    def __init__(self, span: trace.Span, parent: Context | None = None) -> None:
        self._span = span
        self._context = trace.set_span_in_context(span, parent)
        self._token: Token[Context] | None = None

    @property
    def traceparent(self) -> str | None:
        """The span's id for other services (W3C)."""
        return self.headers()["traceparent"]

    def headers(self) -> Mapping[str, str]:
        """Return the headers that pass the trace on to another service."""
        carrier: dict[str, str] = {}
        PROPAGATOR.inject(carrier, self._context)
        return carrier

    def note(self, attributes: Attributes) -> None:
        """Add attributes."""
        self._span.set_attributes(attributes)

    def failed(self, code: str) -> None:
        """Mark the span as failed."""
        # Not the exception itself: its message and its stack may contain data of users.
        self._span.set_status(FAILED)
        self._span.set_attribute("error.type", code)

    def __enter__(self) -> Self:
        self._token = attach(self._context)
        return self

    def __exit__(self, kind: type[BaseException] | None = None, error: object = None, *_: object) -> None:
        if kind is not None:
            self.failed(getattr(error, "code", kind.__name__))
        self._span.end()
        if self._token is not None:
            detach(self._token)


class OpenTelemetry(Tracer):
    """A tracer that exports spans. OpenTelemetry's variables set sampler, limits, exporter and resource.

    Args:
        service: The service's name, unless the environment sets another one.
        version: The service's version.
        flush_ms: Most milliseconds for the export of pending spans at the end.
    """

    def __init__(self, service: str, version: str, flush_ms: int) -> None:
        named = {SERVICE_NAME: service, SERVICE_VERSION: version}
        resource = Resource.create({**named, **OTELResourceDetector().detect().attributes})
        self._flush_ms = flush_ms
        self._export = SpanExport(OTLPSpanExporter(), os.environ)
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(self._export)
        self._tracer = self._provider.get_tracer(service, version)

    def request(self, name: str, environ: Mapping[str, Any]) -> Span:
        """Start the span of a request."""
        headers = {name: environ[key] for name, key in CARRIER.items() if key in environ}
        parent = PROPAGATOR.extract(headers, Context())
        return RealSpan(self._tracer.start_span(name, parent, SpanKind.SERVER), parent)

    def call(self, name: str, attributes: Attributes = NO_ATTRIBUTES) -> Span:
        """Start the span of a call to another service."""
        return RealSpan(self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes))

    def step(self, name: str, attributes: Attributes = NO_ATTRIBUTES) -> Span:
        """Start the span of a step of our own."""
        return RealSpan(self._tracer.start_span(name, attributes=attributes))

    def took(self, name: str, seconds: float, attributes: Attributes = NO_ATTRIBUTES) -> None:
        """Record a step that is over."""
        # Outside a request it is background work, which has no trace.
        if not trace.get_current_span().is_recording():
            return
        end = time.time_ns()
        kind = SpanKind.CLIENT if attributes else SpanKind.INTERNAL
        start = end - int(seconds * 1e9)
        self._tracer.start_span(name, kind=kind, attributes=attributes, start_time=start).end(end)

    def batch(self, name: str, traceparents: Iterable[str | None]) -> Span:
        """Start the span of work for several calls."""
        contexts = [_context(each) for each in traceparents if each is not None]
        links = [Link(each) for each in contexts if each.trace_flags.sampled]
        if not links:
            return NO_SPAN
        return RealSpan(self._tracer.start_span(name, Context(), links=links), Context())

    def timer(self, timer: OperationTimer, store: str) -> OperationTimer:
        """Wrap `timer`, so that each of the store's operations becomes a span too."""
        return StoreSpans(timer, self, store)

    def close(self) -> None:
        """Export pending spans, within `flush_ms`, and end the export."""
        self._export.force_flush(self._flush_ms)
        self._provider.shutdown()


class StoreSpans(OperationTimer):
    """Records each finished operation of a store as a span, and passes its time on to `timer`."""

    def __init__(self, timer: OperationTimer, tracer: Tracer, store: str) -> None:
        self._timer = timer
        self._tracer = tracer
        self._store = store

    def took(self, operation: str, seconds: float) -> None:
        """Record the time of an operation."""
        self._timer.took(operation, seconds)
        attributes = {"db.system.name": self._store, "db.operation.name": operation}
        self._tracer.took(f"{self._store} {operation}", seconds, attributes)

    def failed(self, operation: str) -> None:
        """Record that an operation failed."""
        self._timer.failed(operation)


def _context(traceparent: str) -> trace.SpanContext:
    carrier = PROPAGATOR.extract({"traceparent": traceparent}, Context())
    return trace.get_current_span(carrier).get_span_context()
