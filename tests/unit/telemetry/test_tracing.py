"""When tracing is on, and what happens to spans that cannot be exported."""

import threading

import gevent
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from telemetry.factory import tracer
from telemetry.span_export import SpanExport
from telemetry.tracing import UNTRACED, UnusableTracing
from tests.waiting import until_greenlets

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_TRACES_EXPORTER": ""},
        {"OTEL_TRACES_EXPORTER": "none"},
        {**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"},
        {**ENDPOINT, "OTEL_SDK_DISABLED": "true"},
        {"OTEL_SERVICE_NAME": "name"},
    ],
)
def test_tracing_is_off(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert tracer("service", "1.0", 1000) is UNTRACED


@pytest.mark.parametrize("variables", [ENDPOINT, {"OTEL_TRACES_EXPORTER": "OTLP"}])
def test_tracing_is_on(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    made = tracer("service", "1.0", 1000)

    assert made.request("a", {}).traceparent is not None
    made.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
        ("OTEL_BSP_SCHEDULE_DELAY", "soon"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
    ],
)
def test_an_unsupported_value_stops_the_start(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv(name, value)

    with pytest.raises(UnusableTracing, match=name):
        tracer("service", "1.0", 1000)


class Broken(SpanExporter):
    """Fails, and counts its failures."""

    def __init__(self) -> None:
        self.tries = 0

    def export(self, spans: object) -> SpanExportResult:
        self.tries += 1
        raise RuntimeError("as asked")


def provider(export: SpanExport) -> TracerProvider:
    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(export)
    return made


def spans(export: SpanExport, count: int) -> None:
    made = provider(export).get_tracer("test")
    for number in range(count):
        made.start_span(str(number)).end()


def names(exported: tuple[ReadableSpan, ...]) -> list[str]:
    return [span.name for span in exported]


def test_spans_are_exported_in_the_order_of_their_ends() -> None:
    memory = InMemorySpanExporter()
    export = SpanExport(memory, {"OTEL_BSP_SCHEDULE_DELAY": "10"})

    spans(export, 3)

    until_greenlets(lambda: len(memory.get_finished_spans()) == 3, "the spans have come")
    assert names(memory.get_finished_spans()) == ["0", "1", "2"]
    export.shutdown()


def test_a_full_batch_does_not_wait() -> None:
    memory = InMemorySpanExporter()
    export = SpanExport(memory, {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "2", "OTEL_BSP_SCHEDULE_DELAY": "3600000"})

    spans(export, 2)

    until_greenlets(lambda: len(memory.get_finished_spans()) == 2, "the spans have come")
    export.shutdown()


def test_spans_beyond_the_queue_are_dropped_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    memory = InMemorySpanExporter()
    export = SpanExport(memory, {"OTEL_BSP_MAX_QUEUE_SIZE": "3"})

    spans(export, 5)

    assert export.force_flush()
    assert names(memory.get_finished_spans()) == ["0", "1", "2"]
    assert "2 spans lost" in caplog.text
    export.shutdown()


def test_a_failing_exporter_gets_the_next_batch(caplog: pytest.LogCaptureFixture) -> None:
    broken = Broken()
    export = SpanExport(broken, {"OTEL_BSP_SCHEDULE_DELAY": "10"})

    spans(export, 1)
    until_greenlets(lambda: broken.tries == 1, "the first try")
    spans(export, 1)
    until_greenlets(lambda: broken.tries == 2, "the second try")

    assert "spans could not be exported" in caplog.text
    export.shutdown()


def test_export_starts_no_thread_and_nothing_in_a_child() -> None:
    before = threading.active_count()
    export = SpanExport(InMemorySpanExporter(), {})
    gevent.sleep(0)

    assert threading.active_count() == before
    export.shutdown()
