"""DatabaseLogger: what happened, written to PostgreSQL off the request's way (specification 4.6).

Records wait in a bounded queue; one greenlet writes them in batches. While PostgreSQL is away it puts them on disk
instead, into the spool, and replays them when PostgreSQL is back, a batch of old ones after each turn of fresh ones.
A record's id and time are made when it is queued, so writing it again never doubles it.
"""

import logging
from collections import deque
from time import monotonic

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore

from controller.errors import StoreUnavailable
from controller.observability.metrics import MetricsCollector
from controller.request_log.batches import MOST, MOST_BYTES, BatchWriter
from controller.request_log.spool import Spool, SpoolFull
from controller.request_log.writes import Group, LogTables, Record, packed, unpacked
from telemetry.tracing import UNTRACED, Tracer

log = logging.getLogger(__name__)

#: What the queue may hold, however few records that are.
QUEUE_BYTES = 64 << 20
#: Seconds in which a batch gathers: a batch costs what thirty rows do. A process that is killed loses these
#: rows.
GATHERING = 0.2
#: Seconds between looks whether PostgreSQL is back.
RETRY = 0.5
#: Seconds between looks whether another process has left records in the spool.
LOOK = 2.0
#: Seconds between complaints about the same trouble.
COMPLAINT = 10.0


class DatabaseLogger:
    """The queue and its writer.

    Args:
        postgres: where records go.
        size: how many may wait in memory; what comes on top is dropped and counted.
        metrics: told of the queue's length and of losses.
        spool: where records wait while PostgreSQL is away; None: in the queue alone.
        tracer: makes a span of every batch.
    """

    def __init__(
        self,
        postgres: LogTables,
        size: int,
        metrics: MetricsCollector,
        spool: Spool | None = None,
        tracer: Tracer = UNTRACED,
    ) -> None:
        self._postgres = postgres
        self._batches = BatchWriter(postgres, metrics, tracer)
        self._metrics = metrics
        self._spool = spool
        self._queue = _Queue(size)
        self._filled = Event()
        self._writing = BoundedSemaphore(1)
        self._away = False
        self._look_again = 0.0
        self._stopping = Event()
        self._writer: gevent.Greenlet[[], None] | None = None
        self._dropped = 0
        self._complained: dict[str, float] = {}

    def start(self) -> None:
        """Starts the writer."""
        self._writer = gevent.spawn(self._write_for_ever)

    def close(self, timeout: float) -> None:
        """Stops the writer and writes what waits, trying for `timeout` seconds; what is left goes to the spool."""
        self._stopping.set()
        self._filled.set()
        deadline = monotonic() + timeout
        if self._writer is not None:
            self._writer.join(timeout)
            self._writer.kill()
        try:
            with gevent.Timeout(max(0.1, deadline - monotonic())):
                self.flush()
        except (gevent.Timeout, StoreUnavailable):
            self._set_aside()
        if self._queue.records:
            self._drop(self._queue.records)
        if self._spool is not None:
            self._spool.close()

    def record(self, *records: Record) -> None:
        """Queues records that are written together, in this order; never waits."""
        if not self._queue.put(records):
            self._drop(len(records))
            return
        if not self._filled.is_set():
            self._metrics.log_queued(self._queue.records)
            self._filled.set()

    def flush(self) -> None:
        """Writes all that waits in the queue.

        Raises:
            StoreUnavailable: PostgreSQL is away; what was not written still waits.
        """
        with self._writing:
            while batch := self._queue.batch():
                self._batches.write(batch)
                self._taken(batch)

    def _write_for_ever(self) -> None:
        wait = 0.0
        while not self._stopping.is_set():
            self._filled.wait(timeout=wait)
            self._stopping.wait(GATHERING)
            self._filled.clear()
            try:
                wait = self._turn()
            except Exception:
                # Whatever it is, the next records must be written.
                log.exception("log records could not be written")
                wait = RETRY

    def _turn(self) -> float:
        """Writes what waits, or puts it aside; answers how many seconds it may rest now."""
        if self._away:
            self._set_aside()
            if monotonic() < self._look_again:
                return RETRY
            self._look_again = monotonic() + RETRY
            if not self._postgres.available():
                return RETRY
            self._away = False
            log.warning("PostgreSQL is back")
        try:
            self.flush()
            return 0.0 if self._replay() else LOOK
        except StoreUnavailable:
            self._complain("away", "PostgreSQL is away: log records wait")
            self._away = True
            self._set_aside()
            return RETRY

    def _replay(self) -> bool:
        """Writes a batch of what waits on disk; answers whether there was one."""
        if self._spool is None:
            return False
        with self._writing:
            kept = self._spool.read(MOST, MOST_BYTES)
            if kept:
                self._batches.write([group for group in map(self._readable, kept) if group])
                self._spool.forget()
        return bool(kept)

    def _readable(self, kept: bytes) -> Group | None:
        try:
            return unpacked(kept)
        except (ValueError, TypeError):
            self._metrics.log_lost(1)
            self._complain("unreadable", "a record in the spool has no form that is known here")
            return None

    def _set_aside(self) -> None:
        """Moves the queue to the spool. What finds no room there waits in memory, while there is room."""
        if self._spool is None:
            return
        with self._writing:
            while batch := self._queue.batch():
                try:
                    self._spool.append([packed(group) for group in batch])
                except (SpoolFull, OSError) as error:
                    self._complain("spool", f"log records wait in memory, the spool takes none: {error}")
                    return
                self._taken(batch)

    def _taken(self, batch: list[Group]) -> None:
        self._queue.drop(batch)
        self._metrics.log_queued(self._queue.records)

    def _drop(self, records: int) -> None:
        self._metrics.log_lost(records)
        self._dropped += records
        self._complain("full", f"no room for log records: {self._dropped} dropped so far")

    def _complain(self, about: str, message: str) -> None:
        """Says it, unless it was said just now: trouble comes with every record."""
        if monotonic() - self._complained.get(about, -COMPLAINT) >= COMPLAINT:
            self._complained[about] = monotonic()
            log.error(message)


class _Queue:
    """Groups of records in memory, bounded by their number and by QUEUE_BYTES."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._groups: deque[tuple[Group, int]] = deque()
        self._bytes = 0
        self.records = 0

    def put(self, group: Group) -> bool:
        """Whether there was room."""
        # Plain lengths: nearly all are rows, and every call comes here.
        size = sum([len(record.row) if record.row is not None else record.size for record in group])
        if self.records + len(group) > self._size or (self._bytes and self._bytes + size > QUEUE_BYTES):
            return False
        self._groups.append((group, size))
        self._bytes += size
        self.records += len(group)
        return True

    def batch(self) -> list[Group]:
        """The oldest groups, at least one where there is one; they stay until `drop`."""
        batch: list[Group] = []
        records = total = 0
        for group, size in self._groups:
            if records >= MOST or total >= MOST_BYTES:
                break
            batch.append(group)
            records += len(group)
            total += size
        return batch

    def drop(self, batch: list[Group]) -> None:
        """Lets go of what `batch` answered."""
        for _ in batch:
            group, size = self._groups.popleft()
            self._bytes -= size
            self.records -= len(group)
