"""Spans by OpenTelemetry's SDK, exported over OTLP. `runtime.tracing` imports it where the environment asks."""

import os
import time
from collections.abc import Mapping
from contextvars import Token
from typing import Self

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from runtime.span_export import SpanExport
from runtime.tracing import Attributes, Span, Tracer

_PROPAGATOR = TraceContextTextMapPropagator()
_FAILED = Status(StatusCode.ERROR)
#: In which waiting spans are exported at the end.
_LAST_WORDS_MS = 1000


class RealSpan(Span):
    """A span of a trace; `parent` is the context that it is below, None: the present one."""

    def __init__(self, span: trace.Span, parent: Context | None = None) -> None:
        self._span = span
        self._context = trace.set_span_in_context(span, parent)
        self._token: Token[Context] | None = None

    @property
    def traceparent(self) -> str | None:
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, self._context)
        return carrier.get("traceparent")

    def note(self, attributes: Attributes) -> None:
        self._span.set_attributes(attributes)

    def failed(self, code: str) -> None:
        # Never the exception itself: its message and its trace may hold what users sent.
        self._span.set_status(_FAILED)
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
    """See `Tracer`. Sampler, limits, exporter and resource are as OpenTelemetry's variables say."""

    def __init__(self, language: str) -> None:
        named = {SERVICE_NAME: f"lambda-runtime-{language}"}
        resource = Resource.create({**named, **OTELResourceDetector().detect().attributes})
        self._export = SpanExport(OTLPSpanExporter(), os.environ)
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(self._export)
        self._tracer = self._provider.get_tracer("runtime")

    def request(self, name: str, environ: Mapping[str, str]) -> Span:
        headers = {"traceparent": "HTTP_TRACEPARENT", "tracestate": "HTTP_TRACESTATE"}
        carrier = {key: environ[variable] for key, variable in headers.items() if variable in environ}
        parent = _PROPAGATOR.extract(carrier, Context())
        return RealSpan(self._tracer.start_span(name, parent, SpanKind.SERVER), parent)

    def step(self, name: str) -> Span:
        return RealSpan(self._tracer.start_span(name))

    def took(self, name: str, seconds: float) -> None:
        # Without a call it is one of the chores, of which nobody needs a trace.
        if trace.get_current_span().is_recording():
            end = time.time_ns()
            self._tracer.start_span(name, start_time=end - int(seconds * 1e9)).end(end)

    def close(self) -> None:
        self._export.force_flush(_LAST_WORDS_MS)
        self._provider.shutdown()
