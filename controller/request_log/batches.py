"""BatchWriter: executes batches of queued writes in PostgreSQL, each batch in one transaction."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from controller.errors import StoreRejected
from controller.observability.metrics import MetricsCollector
from controller.request_log.writes import LogTables, Write, WriteUnit
from telemetry.tracing import UNTRACED, Tracer

log = logging.getLogger(__name__)

#: Largest batch, in writes. A batch costs as much as fifteen rows, however many it has.
MOST = 100
#: Largest batch, in bytes.
MOST_BYTES = 1 << 20


class BatchWriter:
    """Executes batches. A write that PostgreSQL refuses is dropped and counted; the others are executed."""

    def __init__(self, postgres: LogTables, metrics: MetricsCollector, tracer: Tracer = UNTRACED) -> None:
        self._postgres = postgres
        self._tracer = tracer
        self._metrics = metrics

    def write(self, units: Sequence[WriteUnit]) -> None:
        """Execute units, in order.

        Raises:
            StoreUnavailable: PostgreSQL is away. Some writes may be executed; executing them again does no harm.
        """
        with self._tracer.batch("log write", (write.traceparent for unit in units for write in unit)):
            try:
                self._write_together(write for unit in units for write in unit)
            except StoreRejected:
                for unit in units:
                    self._write_unit(unit)

    def _write_unit(self, unit: WriteUnit) -> None:
        try:
            self._write_together(unit)
        except StoreRejected:
            for write in unit:
                self._write_alone(write)

    def _write_alone(self, write: Write) -> None:
        try:
            self._write_together([write])
        except StoreRejected:
            self._metrics.log_lost(1)
            log.exception("PostgreSQL refused a record for %s", write.query)

    def _write_together(self, writes: Iterable[Write]) -> None:
        self._postgres.write_together([("lock_log", {}), *_statements(writes)])


def _statements(writes: Iterable[Write]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the statements of a batch: first single writes such as a session, then the rows that refer to them."""
    alone = []
    rows: dict[str, list[str]] = {}
    for write in writes:
        if write.row is None:
            alone.append((write.query, write.parameters))
        else:
            rows.setdefault(write.query, []).append(write.row)
    return alone + [(query, {"rows": f"[{','.join(texts)}]"}) for query, texts in rows.items()]
