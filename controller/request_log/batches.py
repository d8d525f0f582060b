"""BatchWriter: writes batches of log records to PostgreSQL, each in one transaction."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from controller.errors import StoreRejected
from controller.observability.metrics import MetricsCollector
from controller.request_log.writes import Group, LogTables, Record
from telemetry.tracing import UNTRACED, Tracer

log = logging.getLogger(__name__)

#: Largest batch, in records.
MOST = 500
#: Largest batch, in bytes.
MOST_BYTES = 1 << 20


class BatchWriter:
    """Writes batches. A record that PostgreSQL refuses is dropped and counted; the others are written."""

    def __init__(self, postgres: LogTables, metrics: MetricsCollector, tracer: Tracer = UNTRACED) -> None:
        self._postgres = postgres
        self._tracer = tracer
        self._metrics = metrics

    def write(self, groups: Sequence[Group]) -> None:
        """Write groups of records, in order.

        Raises:
            StoreUnavailable: PostgreSQL is away. Some records may be written; writing them again does no harm.
        """
        with self._tracer.batch("log write", (record.traceparent for group in groups for record in group)):
            try:
                self._write_together(record for group in groups for record in group)
            except StoreRejected:
                for group in groups:
                    self._write_group(group)

    def _write_group(self, group: Group) -> None:
        try:
            self._write_together(group)
        except StoreRejected:
            for record in group:
                self._write_alone(record)

    def _write_alone(self, record: Record) -> None:
        try:
            self._write_together([record])
        except StoreRejected:
            self._metrics.log_lost(1)
            log.exception("PostgreSQL refused a record for %s", record.query)

    def _write_together(self, records: Iterable[Record]) -> None:
        self._postgres.write_together([("lock_log", {}), *_statements(records)])


def _statements(records: Iterable[Record]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the statements of a batch: first single writes such as a session, then the rows that refer to them."""
    alone = []
    rows: dict[str, list[str]] = {}
    for record in records:
        if record.row is None:
            alone.append((record.query, record.parameters))
        else:
            rows.setdefault(record.query, []).append(record.row)
    return alone + [(query, {"rows": f"[{','.join(written)}]"}) for query, written in rows.items()]
