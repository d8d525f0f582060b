"""Watches the processes at work for what no limit of the kernel bounds here: all of a process's memory, its threads,
and the sum of its files. Whoever uses too much is killed, and told why.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import gevent
from gevent.event import Event

from runtime import files
from runtime.process import Process, number_of

#: Seconds between two looks at everybody who is at work.
INTERVAL = 0.05
#: Lines of /proc/<pid>/status, in KiB: memory that no file backs.
_OWN_MEMORY = (b"RssAnon:", b"RssShmem:", b"VmSwap:")
#: What the status of a thread that has ended lacks.
_MEMORY = b"VmRSS:"


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
        try:
            thread, status = _living_thread(process)
        except OSError:
            return None  # it has ended
        if sum(number_of(status, name) for name in _OWN_MEMORY) * 1024 > limits.memory_bytes:
            return Breach("memory_limit", f"the script used more than {limits.memory_bytes} bytes of memory")
        if number_of(status, b"Threads:") > limits.threads:
            return Breach("process_limit", f"the script started more than {limits.threads} threads")
        if files.taken(process.folder, thread) > limits.files_bytes:
            return Breach("exception", f"the script's files take more than {limits.files_bytes} bytes")
        return None


def _living_thread(process: Process) -> tuple[Path, bytes]:
    """The folder of a thread in /proc, and its status. Raises OSError when there is none.

    The first one may have ended: it then tells of no memory and no files, which the others still have.
    """
    first = Path(f"/proc/{process.pid}")
    if _MEMORY in (status := process.status()):
        return first, status
    for thread in (first / "task").iterdir():
        status = (thread / "status").read_bytes()
        if _MEMORY in status:
            return thread, status
    raise ProcessLookupError(f"process {process.pid} has ended")
