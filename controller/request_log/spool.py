"""Spool: keeps log records on disk while PostgreSQL is away.

It is a folder of segments. One process appends to a segment. Its name begins with the time of its creation, so names
give the order.

Several processes may share the folder. A segment belongs to the process that holds its lock (`flock`). The kernel
releases the lock when that process ends, even by a crash. Then another process replays the segment from its start.
So a record may be written twice and must leave one row, as the writes of `controller.request_log.writes` do.

All disk access happens in one separate thread. So a slow disk blocks only the calling greenlet, and a killed caller
leaves no operation half done.
"""

import contextlib
import errno
import itertools
import logging
import os
import stat
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar, cast

from gevent.threadpool import ThreadPool

from controller.observability.metrics import MetricsCollector
from controller.request_log.segment import Segment, framed

log = logging.getLogger(__name__)

#: Size in bytes after which a new segment is begun.
SEGMENT_BYTES = 8 << 20
SUFFIX = ".spool"
_numbers = itertools.count()
Answer = TypeVar("Answer")


class SpoolFull(Exception):
    """The spool has no room for more records."""


class Spool:
    """Writes records of this process, and reads records of any process.

    Args:
        parent: a folder that exists or can be made. The spool is a folder in it that only this account can use.
        max_bytes: most bytes in the segments of all processes. Each process may exceed it by a batch.
        metrics: reports the bytes that wait, and counts unreadable records.

    Raises:
        OSError: the folder cannot be used.
    """

    def __init__(self, parent: Path, max_bytes: int, metrics: MetricsCollector) -> None:
        self._folder = _own_folder(parent)
        self._max_bytes = max_bytes
        self._metrics = metrics
        self._written: Segment | None = None
        self._read: Segment | None = None
        self._disk = ThreadPool(1)
        metrics.log_spooled(self._used())

    def append(self, records: Sequence[bytes]) -> None:
        """Keep records, all or none. They are synced to disk when this returns.

        Raises:
            SpoolFull: `max_bytes` would be exceeded.
            OSError: the disk failed.
        """
        self._on_disk(lambda: self._append(records))

    def read(self, most: int, most_bytes: int) -> list[bytes]:
        """Return the oldest records that no other process has. The same ones are returned until `forget`.

        Raises:
            OSError: the disk failed.
        """
        records, damaged = self._on_disk(lambda: self._next(most, most_bytes))
        if damaged:
            self._metrics.log_lost(damaged)
        return records

    def forget(self) -> None:
        """Remove the records that were last read: they are in PostgreSQL now."""
        if self._read is not None:
            self._read.begin = self._read.end

    def close(self) -> None:
        """Release the segments, for other processes or the next start."""
        self._on_disk(self._let_go)
        self._disk.kill()

    def _on_disk(self, work: Callable[[], Answer]) -> Answer:
        # Errors are passed as values: gevent would print each with its traceback, even an expected one.
        answer, error = self._disk.apply(_outcome, (work,))
        if error is not None:
            raise error
        return cast(Answer, answer)

    def _append(self, records: Sequence[bytes]) -> None:
        data = b"".join(map(framed, records))
        used = self._used()
        if used + len(data) > self._max_bytes:
            raise SpoolFull(f"{used} bytes of {self._max_bytes} are taken")
        if self._written is None or self._written.end > SEGMENT_BYTES:
            self._seal()
            self._written = self._begun()
        try:
            self._written.append(data)
        except OSError:
            self._seal()
            raise
        self._metrics.log_spooled(used + len(data))

    def _next(self, most: int, most_bytes: int) -> tuple[list[bytes], int]:
        """Return the oldest records, and how many segments before them had a damaged end."""
        damaged = 0
        while True:
            if self._read is None:
                self._read = self._oldest()
            if self._read is None:
                return [], damaged
            records, unreadable = self._read.records(most, most_bytes)
            if records:
                return records, damaged
            if unreadable:
                log.error("%d bytes at the end of %s cannot be read", unreadable, self._read.path.name)
                damaged += 1
            self._read.remove()
            self._read = None
            self._metrics.log_spooled(self._used())

    def _oldest(self) -> Segment | None:
        for path in self._segments():
            segment = Segment.taken(path)
            if segment is not None:
                return segment
        if self._written is None:
            return None
        path = self._written.path
        self._seal()
        return Segment.taken(path)

    def _begun(self) -> Segment:
        while True:
            name = f"{time.time_ns():020d}-{os.getpid()}-{next(_numbers)}{SUFFIX}"
            # Another process may find it, still empty, before it is locked, and remove it.
            segment = Segment.taken(self._folder / name, os.O_CREAT | os.O_EXCL)
            if segment is not None:
                _sync(self._folder)
                return segment

    def _seal(self) -> None:
        """Release the complete segment: any process may replay it."""
        if self._written is not None:
            self._written.close()
            self._written = None

    def _let_go(self) -> None:
        self._seal()
        if self._read is not None:
            self._read.close()
            self._read = None

    def _segments(self) -> list[Path]:
        return sorted(self._folder.glob(f"*{SUFFIX}"))

    def _used(self) -> int:
        used = 0
        for path in self._segments():
            with contextlib.suppress(FileNotFoundError):
                used += path.stat().st_size
        return used


def _outcome(work: Callable[[], Answer]) -> tuple[Answer | None, Exception | None]:
    try:
        return work(), None
    except (SpoolFull, OSError) as error:
        return None, error


def _own_folder(parent: Path) -> Path:
    """Return a folder that only this account can write to, even if `parent` is shared."""
    folder = parent / f"lambda-microservice-log-{os.geteuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    about = folder.stat(follow_symlinks=False)
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & 0o077:
        raise PermissionError(errno.EPERM, "holds a spool that is not this account's alone", str(folder))
    _sync(parent)
    return folder


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
