"""Watches the processes at work for what no limit of the kernel bounds here: all of a process's memory, its threads,
and the sum of its files. Whoever uses too much is killed, and told why.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import gevent
from gevent.event import Event

from runtime.process import Process, number_of

#: Seconds between two looks at everybody who is at work.
INTERVAL = 0.05
#: Files of one worker that are looked at: more of them are too many.
MAX_FILES = 2000
#: Lines of /proc/<pid>/status, in KiB: memory that no file backs.
_OWN_MEMORY = (b"RssAnon:", b"RssShmem:", b"VmSwap:")


@dataclass(frozen=True)
class Limits:
    """What one process may use: memory of its own and files in bytes, and threads."""

    memory_bytes: int
    files_bytes: int
    threads: int


@dataclass(frozen=True)
class Breach:
    """Which limit was broken: the contract's `kind`, and a sentence."""

    kind: str
    message: str


class Watch:
    """One process under watch; `breach` is set when it has been killed for one."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.breach: Breach | None = None


class Overseer:
    """Looks at all watched processes in turn, as long as there are any."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._watched: set[Watch] = set()
        self._busy = Event()
        self._greenlet = gevent.spawn(self._oversee)

    @contextmanager
    def watch(self, process: Process) -> Iterator[Watch]:
        """Watch a process for the time of the block."""
        watch = Watch(process)
        self._watched.add(watch)
        self._busy.set()
        try:
            yield watch
        finally:
            self._watched.discard(watch)
            if not self._watched:
                self._busy.clear()

    def close(self) -> None:
        self._greenlet.kill()

    def _oversee(self) -> None:
        while True:
            self._busy.wait()
            gevent.sleep(INTERVAL)
            for watch in list(self._watched):
                watch.breach = watch.breach or self._breach(watch.process)
                if watch.breach is not None:
                    watch.process.kill()

    def _breach(self, process: Process) -> Breach | None:
        limits = self._limits
        status = process.status()
        if not status:
            return None  # it has ended
        if sum(number_of(status, name) for name in _OWN_MEMORY) * 1024 > limits.memory_bytes:
            return Breach("memory_limit", f"the script used more than {limits.memory_bytes} bytes of memory")
        if number_of(status, b"Threads:") > limits.threads:
            return Breach("process_limit", f"the script started more than {limits.threads} threads")
        if _size(process.folder) + _nameless(process.pid) > limits.files_bytes:
            return Breach("exception", f"the script's files take more than {limits.files_bytes} bytes")
        return None


def _size(folder: Path) -> float:
    """Bytes that the folder's files take on the disk; infinite for more files than anybody needs."""
    total = seen = 0
    waiting = [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    seen += 1
                    if seen > MAX_FILES:
                        return float("inf")
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(Path(entry.path))
        except FileNotFoundError:
            continue  # it was removed meanwhile
        except OSError:
            return float("inf")  # a folder that was closed to us, or a path that is too long to name
    return total


def _nameless(pid: int) -> int:
    """Bytes of files that the process holds open and that no folder names any more."""
    total = 0
    with suppress(OSError), os.scandir(f"/proc/{pid}/fd") as descriptors:
        for descriptor in descriptors:
            with suppress(OSError):
                about = descriptor.stat()
                if stat.S_ISREG(about.st_mode) and about.st_nlink == 0:
                    total += about.st_blocks * 512
    return total
