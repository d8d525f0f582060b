"""Spool: where log records wait on disk while PostgreSQL is away.

A folder of segments, each appended to by one process. The name of a segment begins with the time it was begun, so
names tell their order.

Several processes may share the folder. A segment belongs to whoever holds its lock (`flock`), which the kernel takes
back when a process ends, however it does: then another one replays it, from its beginning. Writing a record twice has
to leave it once, as it does with the records of `controller.request_log.writes`.

All of this happens in one thread of its own: a slow disk holds up no greenlet but the caller's, and a caller that is
killed leaves no half-done work to collide with.
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

#: A segment that has grown larger is followed by a new one.
SEGMENT_BYTES = 8 << 20
SUFFIX = ".spool"
_numbers = itertools.count()
Answer = TypeVar("Answer")


class SpoolFull(Exception):
    """There is no room for more."""


class Spool:
    """Records of this process on their way in, and of any process on their way out.

    Args:
        parent: a folder that exists or can be made; in it, the spool is a folder of this account alone.
        max_bytes: what the segments of all processes may take together, give or take a batch of each.
        metrics: told of the bytes that wait, and of what cannot be read.

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
        """Keeps records, all or none; they are on the disk when this returns.

        Raises:
            SpoolFull: they would take more than `max_bytes`.
            OSError: the disk refuses.
        """
        self._on_disk(lambda: self._append(records))

    def read(self, most: int, most_bytes: int) -> list[bytes]:
        """The oldest records that no other process is at, again and again until `forget`; none: nothing waits.

        Raises:
            OSError: the disk refuses.
        """
        return self._on_disk(lambda: self._next(most, most_bytes))

    def forget(self) -> None:
        """Lets go of what was last read: it is written elsewhere."""
        if self._read is not None:
            self._read.begin = self._read.end

    def close(self) -> None:
        """Lets go of the segments, for other processes or the next start."""
        self._on_disk(self._let_go)
        self._disk.kill()

    def _on_disk(self, work: Callable[[], Answer]) -> Answer:
        # Errors are carried over by hand: gevent would print each with its traceback, however expected it is.
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

    def _next(self, most: int, most_bytes: int) -> list[bytes]:
        while True:
            if self._read is None:
                self._read = self._oldest()
            if self._read is None:
                return []
            records, damaged = self._read.records(most, most_bytes)
            if records:
                return records
            if damaged:
                log.error("%d bytes at the end of %s cannot be read", damaged, self._read.path.name)
                self._metrics.log_lost(1)
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
            # Another process may find it between its making and its locking, empty, and remove it.
            segment = Segment.taken(self._folder / name, os.O_CREAT | os.O_EXCL)
            if segment is not None:
                _sync(self._folder)
                return segment

    def _seal(self) -> None:
        """The segment is complete: whoever comes first may replay it."""
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
    """A folder that nobody else can put records into, also where `parent` is everybody's."""
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
