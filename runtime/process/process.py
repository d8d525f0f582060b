"""The front's handle of one confined process."""

import os
import select
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, cast

import gevent
from gevent import monkey, socket
from gevent.event import AsyncResult

from runtime.deadlines import Deadlines
from runtime.process import remove_tree
from runtime.process.output import Output
from runtime.sandbox.confine import Confinement

#: Flag that sends a signal to the whole group: PIDFD_SIGNAL_PROCESS_GROUP, since Linux 6.9.
_GROUP = 1 << 2 if tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 9) else 0


@dataclass(frozen=True)
class Preload:
    """What a fork server imports before its first fork."""

    modules: tuple[str, ...] = ()
    #: Module of the worker program; None where workers are programs of another language.
    worker: str | None = None
    #: Folders to import from. Children cannot import from them.
    path: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Launch:
    """How one process starts: as a fork of the preloaded worker program, or by executing `argv`."""

    argv: tuple[str, ...] = ()
    #: Added to the few variables that every process gets.
    environment: Mapping[str, str] = field(default_factory=dict)
    #: Files by name, written into the process's private folder before it starts. It is the current folder.
    files: Mapping[str, bytes] = field(default_factory=dict)
    confinement: Confinement = field(default_factory=Confinement)


class Usage(NamedTuple):
    """What a process has used since it started, as the kernel measures it."""

    cpu_seconds: float
    peak_memory_bytes: int
    #: Present memory that no file backs.
    resident_bytes: int = 0


@dataclass(frozen=True)
class End:
    """How a process has ended: its wait status and its total usage."""

    status: int
    usage: Usage


#: Larger than any /proc/<pid>/status.
_STATUS_BYTES = 8192
#: CPU seconds below which a memory spike between two readings is tolerated; VmHWM shows it at the next one.
_UNSEEN_SECONDS = 0.001
#: CPU seconds in which a process can take at most a few MiB: its sizes are not even looked at.
_UNCHANGED_SECONDS = 0.0005
#: The original: gevent's replacement yields to its loop for each descriptor.
_poll = monkey.get_original("select", "poll")


@dataclass(frozen=True, slots=True)
class _Memory:
    """Memory of a process at the last reading of its status, with its sizes and CPU time at that time."""

    sizes: bytes = b""
    cpu_seconds: float = 0.0
    peak_bytes: int = 0
    resident_bytes: int = 0


class Process:
    """A running process with its channel, its output and its private folder. `close` releases all of them."""

    def __init__(
        self,
        pid: int,
        pidfd: int,
        folder: Path,
        channel: socket.socket,
        stdout: Output,
        stderr: Output,
        ended: "AsyncResult[End]",
    ) -> None:
        self.pid = pid
        self.folder = folder
        self.channel = channel
        self.stdout = stdout
        self.stderr = stderr
        self._pidfd = pidfd
        self._ended = ended
        self._closed = False
        self._stopped = False
        self._pipes = _poll()
        for output in (stdout, stderr):
            self._pipes.register(output.descriptor, select.POLLIN)
        # Kept open: opening these files for each call would cost several times as much as reading them.
        self._status = _open(pid, "status")
        self._statm = _open(pid, "statm")
        self._memory = _Memory()
        #: Its CPU time when its sizes were read last.
        self._looked = 0.0

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return not self._ended.ready()

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait at most `timeout` seconds for the end of the process and its group.

        Returns:
            The exit status, the negative number of the signal that ended it, or None if it still runs.
        """
        try:
            end: Any = self._ended.get(timeout=timeout)
        except gevent.Timeout:
            return None
        return os.waitstatus_to_exitcode(end.status)

    def kill(self) -> None:
        """Kill the process; the fork server then kills its whole group. Does not wait."""
        self._signal(signal.SIGKILL)

    def suspend(self, grace: float) -> None:
        """Stop the process after `grace` seconds until `resume`, so that a script does not run on between its runs.

        A `resume` within that time saves both signals. Before Linux 6.9 this does not stop the processes that it has
        started, which only some languages may do.
        """
        _stops.add(self, grace)

    def resume(self) -> None:
        """Continue the process if it was suspended."""
        if not _stops.discard(self) and self._stopped:
            self._stopped = False
            self._signal(signal.SIGCONT, _GROUP)

    def stop(self) -> None:
        """Stop the process now."""
        self._stopped = True
        self._signal(signal.SIGSTOP, _GROUP)

    def usage(self) -> Usage:
        """Return the usage so far. It may be zero for a process that ends at this moment."""
        if self._ended.ready():
            end: Any = self._ended.get()
            return cast(Usage, end.usage)
        cpu_seconds, memory = self.cpu_seconds(), self._memory
        if memory.sizes and cpu_seconds - self._looked < _UNCHANGED_SECONDS:
            return Usage(cpu_seconds, memory.peak_bytes, memory.resident_bytes)
        self._looked, sizes = cpu_seconds, _read(self._statm)
        # Reading the status takes as long as all other system calls of a short run together.
        if sizes != memory.sizes or cpu_seconds - memory.cpu_seconds > _UNSEEN_SECONDS:
            status = self.status()
            peak, own = number_of(status, b"VmHWM:"), _own_memory(status)
            memory = self._memory = _Memory(sizes, cpu_seconds, peak * 1024, own * 1024)
        return Usage(cpu_seconds, memory.peak_bytes, memory.resident_bytes)

    def cpu_seconds(self) -> float:
        """Return the CPU time since the process started; 0 when it has ended."""
        try:
            # As clock_getcpuclockid(3) does: the clock's id is the inverted pid, shifted by 3, plus 2.
            return time.clock_gettime((~self.pid << 3) | 2)
        except OSError:
            return 0.0

    def status(self) -> bytes:
        """Return the content of `/proc/<pid>/status`; empty when the process has ended."""
        return _read(self._status)

    def discard_output(self) -> None:
        """Forget what the process has printed so far."""
        self.stdout.discard()
        self.stderr.discard()

    @property
    def printed_bytes(self) -> int:
        """Bytes that the process has printed since `discard_output`."""
        return self.stdout.total_bytes + self.stderr.total_bytes

    def take_output(self) -> tuple[str, str]:
        """Return what the process has printed to stdout and stderr since the last call. Does not wait."""
        if not self.printed_bytes and not self._pipes.poll(0):
            return "", ""
        return self.stdout.take(), self.stderr.take()

    def _signal(self, number: signal.Signals, flags: int = 0) -> None:
        if self._closed:
            return
        with suppress(ProcessLookupError):  # it has ended already
            signal.pidfd_send_signal(self._pidfd, number, None, flags)

    def close(self) -> None:
        """Kill the process, wait for its end, close its descriptors and remove its folder."""
        if self._closed:
            return
        _stops.discard(self)
        self.kill()
        self._closed = True
        self._ended.wait()
        os.close(self._pidfd)
        os.close(self._status)
        os.close(self._statm)
        self.channel.close()
        self.stdout.close()
        self.stderr.close()
        # A script may have left thousands of files: their removal must not block the other requests.
        gevent.get_hub().threadpool.apply(remove_tree.remove, (self.folder,))


#: Processes that are to be stopped. Deadlines wait for the loop, so an answer leaves before its process is stopped.
_stops: Deadlines[Process] = Deadlines(Process.stop)


def number_of(status: bytes, field: bytes) -> int:
    """Return the number in a field of `/proc/<pid>/status`; 0 when it is missing. Memory is in KiB."""
    _, found, rest = status.partition(field)
    return int(rest.split(maxsplit=1)[0]) if found else 0


def _own_memory(status: bytes) -> int:
    return number_of(status, b"RssAnon:") + number_of(status, b"RssShmem:")


def _open(pid: int, name: str) -> int:
    try:
        return os.open(f"/proc/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        # It has ended already: an empty file takes the place of its own.
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)


def _read(file: int) -> bytes:
    try:
        return os.pread(file, _STATUS_BYTES, 0)
    except OSError:
        return b""
