"""DatabaseLogger: executes writes in PostgreSQL in the background (specification 4.6).

Writes wait in a bounded queue, and one greenlet executes them in batches, which it spreads over time. While
PostgreSQL is away, it moves them to the spool on disk. When PostgreSQL is back it replays the spool, one batch after
each round of new writes. A row gets its id and time when it is queued, so writing it twice leaves one row.
"""

import logging
from collections import deque
from math import ceil
from time import monotonic

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore

from controller.errors import StoreUnavailable
from controller.observability.metrics import MetricsCollector
from controller.request_log.batches import MOST, MOST_BYTES, BatchWriter
from controller.request_log.spool import Spool, SpoolFull
from controller.request_log.writes import LogTables, Write, WriteUnit, decode, encode
from telemetry.tracing import UNTRACED, Tracer

log = logging.getLogger(__name__)

#: Most bytes in the queue.
QUEUE_BYTES = 64 << 20
#: Seconds that writes are collected, and seconds over which they are then written in batches: one large batch would
#: hold up the requests beside it for longer. A killed process loses the writes of twice this time.
GATHERING = 0.1
#: Most records from the spool in one batch.
REPLAYED = 500
#: Seconds between two checks whether PostgreSQL is back.
RETRY = 0.5
#: Seconds between two checks for writes of other processes in the spool.
LOOK = 2.0
#: Fewest seconds between two warnings about the same problem.
COMPLAINT = 10.0


class DatabaseLogger:
    """The queue and its writer.

    Args:
        postgres: receives the writes.
        size: most writes in memory. Further writes are dropped and counted.
        metrics: counts queued and lost writes.
        spool: keeps writes while PostgreSQL is away. None: they wait in the queue only.
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
        """Start the writer."""
        self._writer = gevent.spawn(self._write_for_ever)

    def close(self, timeout: float) -> None:
        """Stop the writer and write the queue for up to `timeout` seconds. The rest goes to the spool."""
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
        if self._queue.writes:
            self._drop(self._queue.writes)
        if self._spool is not None:
            self._spool.close()

    def record(self, *writes: Write) -> None:
        """Queue writes that are executed together, in this order. Never waits."""
        if not self._queue.put(writes):
            self._drop(len(writes))
            return
        if not self._filled.is_set():
            self._metrics.log_queued(self._queue.writes)
            self._filled.set()

    def flush(self) -> None:
        """Write the whole queue.

        Raises:
            StoreUnavailable: PostgreSQL is away. Writes that were not executed stay in the queue.
        """
        while self._write_batch():
            pass

    def _write_batch(self) -> bool:
        """Write the oldest writes. Return whether there were any."""
        with self._writing:
            batch = self._queue.batch()
            if batch:
                self._batches.write(batch)
                self._taken(batch)
        return bool(batch)

    def _write_spread(self) -> None:
        """Write what waits now, in batches with pauses between."""
        batches = self._queue.batches
        for left in reversed(range(batches)):
            self._write_batch()
            if left:
                self._stopping.wait(GATHERING / batches)

    def _write_for_ever(self) -> None:
        wait = 0.0
        while not self._stopping.is_set():
            self._filled.wait(timeout=wait)
            self._stopping.wait(GATHERING)
            self._filled.clear()
            try:
                wait = self._turn()
            except Exception:
                # After any error the writer must go on with the next writes.
                log.exception("log records could not be written")
                wait = RETRY

    def _turn(self) -> float:
        """Write the queue, or move it to the spool. Return the seconds until the next turn."""
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
            self._write_spread()
            return 0.0 if self._replay() else LOOK
        except StoreUnavailable:
            self._complain("away", "PostgreSQL is away: log records wait")
            self._away = True
            self._set_aside()
            return RETRY

    def _replay(self) -> bool:
        """Write a batch from the spool. Return whether there was one."""
        if self._spool is None:
            return False
        with self._writing:
            kept = self._spool.read(REPLAYED, MOST_BYTES)
            if kept:
                self._batches.write([unit for unit in map(self._readable, kept) if unit])
                self._spool.forget()
        return bool(kept)

    def _readable(self, kept: bytes) -> WriteUnit | None:
        try:
            return decode(kept)
        except (ValueError, TypeError):
            self._metrics.log_lost(1)
            self._complain("unreadable", "a record in the spool has no form that is known here")
            return None

    def _set_aside(self) -> None:
        """Move the queue to the spool. If the spool is full, writes stay in the queue."""
        if self._spool is None:
            return
        with self._writing:
            while batch := self._queue.batch():
                try:
                    self._spool.append([encode(unit) for unit in batch])
                except (SpoolFull, OSError) as error:
                    self._complain("spool", f"log records wait in memory, the spool takes none: {error}")
                    return
                self._taken(batch)

    def _taken(self, batch: list[WriteUnit]) -> None:
        self._queue.drop(batch)
        self._metrics.log_queued(self._queue.writes)

    def _drop(self, writes: int) -> None:
        self._metrics.log_lost(writes)
        self._dropped += writes
        self._complain("full", f"no room for log records: {self._dropped} dropped so far")

    def _complain(self, about: str, message: str) -> None:
        """Log a warning, unless the same one was just logged: a problem recurs with every write."""
        if monotonic() - self._complained.get(about, -COMPLAINT) >= COMPLAINT:
            self._complained[about] = monotonic()
            log.error(message)


class _Queue:
    """Units in memory, bounded by the number of writes and by QUEUE_BYTES."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._units: deque[tuple[WriteUnit, int]] = deque()
        self._bytes = 0
        self.writes = 0

    @property
    def batches(self) -> int:
        """How many batches hold all units, or somewhat more."""
        return ceil(self.writes / MOST + self._bytes / MOST_BYTES)

    def put(self, unit: WriteUnit) -> bool:
        """Add a unit. Return whether there was room."""
        # Plain lengths for speed: nearly all writes are rows, and this is the hot path.
        size = sum([len(write.row) if write.row is not None else write.size for write in unit])
        if self.writes + len(unit) > self._size or (self._bytes and self._bytes + size > QUEUE_BYTES):
            return False
        self._units.append((unit, size))
        self._bytes += size
        self.writes += len(unit)
        return True

    def batch(self) -> list[WriteUnit]:
        """Return the oldest units, at least one if the queue is not empty. They stay until `drop`."""
        batch: list[WriteUnit] = []
        writes = total = 0
        for unit, size in self._units:
            if writes >= MOST or total >= MOST_BYTES:
                break
            batch.append(unit)
            writes += len(unit)
            total += size
        return batch

    def drop(self, batch: list[WriteUnit]) -> None:
        """Remove the units that `batch` returned."""
        for _ in batch:
            unit, size = self._units.popleft()
            self._bytes -= size
            self.writes -= len(unit)
