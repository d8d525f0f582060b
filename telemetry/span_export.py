"""Span export: a bounded queue, and one greenlet that exports it in batches.

The SDK's BatchSpanProcessor uses a thread, and starts a new one in every forked child. Under gevent that thread is a
greenlet, and starting it in the child runs the parent's loop there, with the parent's connections.
"""

import logging
from collections import deque
from collections.abc import Mapping
from contextlib import suppress

import gevent
from gevent.event import Event
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter

from telemetry.tracing import UnusableTracing

log = logging.getLogger(__name__)

#: Defaults of the specification, except the batch: encoding its 512 spans would block this process for milliseconds.
DELAY_MS, MOST, BATCH = 5000, 2048, 64


class SpanExport(SpanProcessor):
    """Exports sampled spans. If the collector is slow or unreachable, spans are lost, but no call is delayed.

    Args:
        exporter: Sends a batch.
        environment: May have OTEL_BSP_SCHEDULE_DELAY, _MAX_QUEUE_SIZE and _MAX_EXPORT_BATCH_SIZE.

    Raises:
        UnusableTracing: One of them is not a number above zero.
    """

    def __init__(self, exporter: SpanExporter, environment: Mapping[str, str]) -> None:
        self._delay = _number(environment, "OTEL_BSP_SCHEDULE_DELAY", DELAY_MS) / 1000
        self._most = _number(environment, "OTEL_BSP_MAX_QUEUE_SIZE", MOST)
        self._batch = _number(environment, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", BATCH)
        self._exporter = exporter
        self._queue: deque[ReadableSpan] = deque()
        self._filled = Event()
        self._lost = 0
        self._greenlet = gevent.spawn(self._export_for_ever)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Do nothing: spans are exported when they end."""

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a span. Does not wait."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        if len(self._queue) >= self._most:
            self._lost += 1
            return
        self._queue.append(span)
        if len(self._queue) >= self._batch:
            self._filled.set()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Export pending spans. Return whether all were exported in time."""
        with suppress(gevent.Timeout), gevent.Timeout(timeout_millis / 1000):
            self._export()
        return not self._queue

    def shutdown(self) -> None:
        """End the greenlet and the exporter. Pending spans are lost unless `force_flush` was called before."""
        self._greenlet.kill()
        self._exporter.shutdown()

    def _export_for_ever(self) -> None:
        while True:
            self._filled.wait(self._delay)
            self._filled.clear()
            self._export()

    def _export(self) -> None:
        while self._queue:
            batch = [self._queue.popleft() for _ in range(min(self._batch, len(self._queue)))]
            try:
                self._exporter.export(batch)
            except Exception:
                log.exception("spans could not be exported")
            if self._lost:
                log.warning("%d spans lost: their collector is too slow", self._lost)
                self._lost = 0


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    given = environment.get(name, "").strip()
    if given and not (given.isdecimal() and int(given)):
        raise UnusableTracing(f"{name}: {given!r} is no number above zero")
    return int(given) if given else default
