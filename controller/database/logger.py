"""DatabaseLogger: what happened, written to PostgreSQL off the request's way (specification 4.6).

Records wait in a bounded queue; one greenlet writes them in batches. While PostgreSQL is away they stay in the
queue and are tried again, in order. A record's id and time are made when it is queued, so trying again never
doubles it.
"""

import logging
from collections import deque
from collections.abc import Mapping
from typing import Any

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore

from controller.database.postgres import QUERIES, Postgres
from controller.database.records import Record
from controller.errors import StoreRejected, StoreUnavailable
from controller.metrics import MetricsCollector

log = logging.getLogger(__name__)

BATCH = 500
GATHERING = 0.05
"""Seconds in which a batch gathers, so that a busy service writes many rows at once."""
RETRY = 0.5
"""Seconds between tries while PostgreSQL is away."""


class DatabaseLogger:
    """The queue and its writer.

    Args:
        postgres: where records go.
        size: how many may wait; what comes on top is dropped and counted.
        metrics: told of the queue's length and of losses.
    """

    def __init__(self, postgres: Postgres, size: int, metrics: MetricsCollector) -> None:
        self._postgres = postgres
        self._size = size
        self._metrics = metrics
        self._queue: deque[Record] = deque()
        self._filled = Event()
        self._writing = BoundedSemaphore(1)
        self._writer: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        """Starts the writer."""
        self._writer = gevent.spawn(self._write_for_ever)

    def close(self, timeout: float) -> None:
        """Stops the writer and writes what waits, trying for `timeout` seconds."""
        if self._writer is not None:
            self._writer.kill()
        try:
            with gevent.Timeout(timeout):
                self.flush()
        except (gevent.Timeout, StoreUnavailable):
            log.error("%d log records could not be written before the end", len(self._queue))  # noqa: TRY400

    def record(self, *records: Record) -> None:
        """Queues records, which are written in this order; never waits."""
        if len(self._queue) + len(records) > self._size:
            self._metrics.log_lost(len(records))
            log.error("the log queue is full: %d records dropped", len(records))
            return
        self._queue.extend(records)
        self._metrics.log_queued(len(self._queue))
        self._filled.set()

    def flush(self) -> None:
        """Writes all that waits.

        Raises:
            StoreUnavailable: PostgreSQL is away; what was not written still waits.
        """
        with self._writing:
            while self._queue:
                batch = [self._queue[place] for place in range(min(BATCH, len(self._queue)))]
                self._write(batch)
                for _ in batch:
                    self._queue.popleft()
                self._metrics.log_queued(len(self._queue))

    def _write_for_ever(self) -> None:
        while True:
            self._filled.wait()
            self._filled.clear()
            gevent.sleep(GATHERING)
            try:
                self.flush()
            except StoreUnavailable:
                log.warning("PostgreSQL is away: %d log records wait", len(self._queue))
                gevent.spawn_later(RETRY, self._filled.set)

    def _write(self, batch: list[Record]) -> None:
        try:
            self._write_together(batch)
        except StoreRejected:
            # One record that PostgreSQL refuses must not take its neighbours along.
            for record in batch:
                self._write_alone(record)

    def _write_together(self, batch: list[Record]) -> None:
        with self._postgres.transaction() as connection:
            for name, parameters in _statements(batch):
                getattr(QUERIES, name)(connection, **parameters)

    def _write_alone(self, record: Record) -> None:
        try:
            self._write_together([record])
        except StoreRejected:
            self._metrics.log_lost(1)
            log.exception("PostgreSQL refused a record for %s", record.query)


def _statements(batch: list[Record]) -> list[tuple[str, Mapping[str, Any]]]:
    """The statements of a batch: first what stands alone, such as a session, then rows that may count for it."""
    alone = [(record.query, record.parameters) for record in batch if record.row is None]
    rows: dict[str, list[str]] = {}
    for record in batch:
        if record.row is not None:
            rows.setdefault(record.query, []).append(record.row)
    return alone + [(query, {"rows": f"[{','.join(written)}]"}) for query, written in rows.items()]
