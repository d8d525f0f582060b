"""Spans by OpenTelemetry's SDK, exported over OTLP. `telemetry.tracing` imports it where the environment asks."""

import os
import time
from collections.abc import Iterable, Mapping
from contextvars import Token
from typing import Self

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from controller import VERSION
from telemetry.operation_timer import StoreClock
from telemetry.span_export import SpanExport
from telemetry.tracing import NO_SPAN, NONE, Attributes, Span, Tracer

PROPAGATOR = TraceContextTextMapPropagator()
FAILED = Status(StatusCode.ERROR)
LAST_WORDS_MS = 3000
"""In which waiting spans are exported at the end."""


class RealSpan(Span):
    """A span of a trace; `parent` is the context that it is below, None: the present one."""

    def __init__(self, span: trace.Span, parent: Context | None = None) -> None:
        self._span = span
        self._context = trace.set_span_in_context(span, parent)
        self._token: Token[Context] | None = None

    @property
    def traceparent(self) -> str | None:
        return self.headers()["traceparent"]

    def headers(self) -> Mapping[str, str]:
        carrier: dict[str, str] = {}
        PROPAGATOR.inject(carrier, self._context)
        return carrier

    def note(self, attributes: Attributes) -> None:
        self._span.set_attributes(attributes)

    def failed(self, code: str) -> None:
        # Never the exception itself: its message and its trace may hold what users sent.
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
    """See `Tracer`. Sampler, limits, exporter and resource are as OpenTelemetry's variables say.

    Args:
        service: the service's name, unless the environment has another one.
    """

    def __init__(self, service: str) -> None:
        named = {SERVICE_NAME: service, SERVICE_VERSION: VERSION}
        resource = Resource.create({**named, **OTELResourceDetector().detect().attributes})
        self._export = SpanExport(OTLPSpanExporter(), os.environ)
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(self._export)
        self._tracer = self._provider.get_tracer("controller", VERSION)

    def request(self, name: str, headers: Mapping[str, str]) -> Span:
        parent = PROPAGATOR.extract(headers, Context())
        return RealSpan(self._tracer.start_span(name, parent, SpanKind.SERVER), parent)

    def call(self, name: str, attributes: Attributes = NONE) -> Span:
        return RealSpan(self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes))

    def step(self, name: str, attributes: Attributes = NONE) -> Span:
        return RealSpan(self._tracer.start_span(name, attributes=attributes))

    def batch(self, name: str, traceparents: Iterable[str | None]) -> Span:
        contexts = [_context(each) for each in traceparents if each is not None]
        links = [Link(each) for each in contexts if each.trace_flags.sampled]
        if not links:
            return NO_SPAN
        return RealSpan(self._tracer.start_span(name, Context(), links=links), Context())

    def clock(self, clock: StoreClock, store: str) -> StoreClock:
        return StoreSpans(clock, self._tracer, store)

    def close(self) -> None:
        self._export.force_flush(LAST_WORDS_MS)
        self._provider.shutdown()


class StoreSpans(StoreClock):
    """A span for each operation that a call has asked of a store, made when it is over."""

    def __init__(self, clock: StoreClock, tracer: trace.Tracer, store: str) -> None:
        self._clock = clock
        self._tracer = tracer
        self._store = store

    def took(self, operation: str, seconds: float) -> None:
        self._clock.took(operation, seconds)
        # Without a call it is one of the chores, of which nobody needs a trace.
        if trace.get_current_span().is_recording():
            end = time.time_ns()
            self._tracer.start_span(
                f"{self._store} {operation}",
                kind=SpanKind.CLIENT,
                attributes={"db.system.name": self._store, "db.operation.name": operation},
                start_time=end - int(seconds * 1e9),
            ).end(end)

    def failed(self, operation: str) -> None:
        self._clock.failed(operation)


def _context(traceparent: str) -> trace.SpanContext:
    carrier = PROPAGATOR.extract({"traceparent": traceparent}, Context())
    return trace.get_current_span(carrier).get_span_context()
