"""One confined process, as the front sees it."""

import os
import select
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import gevent
from gevent import monkey, socket
from gevent.event import AsyncResult

from runtime.process import remove_tree
from runtime.process.output import Output
from runtime.sandbox.confine import Confinement

#: For a signal to the whole group: PIDFD_SIGNAL_PROCESS_GROUP, which Linux has since 6.9.
_GROUP = 1 << 2 if tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 9) else 0


@dataclass(frozen=True)
class Preload:
    """What a fork server imports before its first fork.

    `worker` is the module of the worker program, None where workers are programs of another language. `path`
    holds folders to import from; children do not see them any more.
    """

    modules: tuple[str, ...] = ()
    worker: str | None = None
    path: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Launch:
    """How one process starts: as a fork of the preloaded worker program, or by executing `argv`.

    `environment` is added to the few variables every process gets; `files` are put into its private folder, which
    is its current folder, before it starts.
    """

    argv: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    confinement: Confinement = field(default_factory=Confinement)


@dataclass(frozen=True)
class Usage:
    """What a process has used since it started, by the kernel's account: seconds of CPU and bytes of memory.

    `resident_bytes` is what of its memory is its own now, and in no file.
    """

    cpu_seconds: float
    peak_memory_bytes: int
    resident_bytes: int = 0


@dataclass(frozen=True)
class End:
    """How a process has ended: its wait status, and all that it has used."""

    status: int
    usage: Usage


#: More than the kernel ever writes there.
_STATUS_BYTES = 8192
#: Seconds of CPU in which a process that has come back to the same sizes may have been a few MiB larger, unseen: the
#: kernel remembers, and the next look has it.
_UNSEEN_SECONDS = 0.001
#: gevent's own takes a moment for each descriptor.
_poll = monkey.get_original("select", "poll")


@dataclass(frozen=True, slots=True)
class _Memory:
    """What the last look at a process's status has found, and its sizes and CPU time then."""

    sizes: bytes = b""
    cpu_seconds: float = 0.0
    peak_bytes: int = 0
    resident_bytes: int = 0


class Process:
    """A running process with its channel, its output and its private folder. `close` ends and removes all of it."""

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
        self._stop: Any = None
        """What suspends it, until it is resumed."""
        self._pipes = _poll()
        for output in (stdout, stderr):
            self._pipes.register(output.descriptor, select.POLLIN)
        # Held open: finding the files again for each call would cost several times the reading.
        self._status = _open(pid, "status")
        self._statm = _open(pid, "statm")
        self._memory = _Memory()

    @property
    def alive(self) -> bool:
        return not self._ended.ready()

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for the end of the process and its group, at most `timeout` seconds.

        Returns its exit status, negative for the signal that ended it, or None while it runs.
        """
        try:
            end: Any = self._ended.get(timeout=timeout)
        except gevent.Timeout:
            return None
        return os.waitstatus_to_exitcode(end.status)

    def kill(self) -> None:
        """Kill the process; the fork server then kills its whole group. Does not wait."""
        self._signal(signal.SIGKILL)

    def suspend(self) -> None:
        """Stop it until `resume`: what a script has left running does nothing meanwhile.

        Kernels before 6.9 do not stop the processes that it has started, which only some languages may.
        """
        # In the loop's next turn: the answer goes out before, and if somebody resumes it before, neither is needed.
        self._stop = gevent.get_hub().loop.run_callback(self._signal, signal.SIGSTOP, _GROUP)

    def resume(self) -> None:
        """Let it go on, if it was suspended."""
        stop, self._stop = self._stop, None
        if stop is None:
            return
        if stop.pending:
            stop.stop()
        else:
            self._signal(signal.SIGCONT, _GROUP)

    def usage(self) -> Usage:
        """What it has used so far; of a process that ended this very moment it may be nothing."""
        if self._ended.ready():
            end: Any = self._ended.get()
            return cast(Usage, end.usage)
        cpu_seconds, sizes, memory = self.cpu_seconds(), _read(self._statm), self._memory
        # The status takes the kernel as long as all else that is asked of it in a short run.
        if sizes != memory.sizes or cpu_seconds - memory.cpu_seconds > _UNSEEN_SECONDS:
            status = self.status()
            peak, own = number_of(status, b"VmHWM:"), _own_memory(status)
            memory = self._memory = _Memory(sizes, cpu_seconds, peak * 1024, own * 1024)
        return Usage(cpu_seconds, memory.peak_bytes, memory.resident_bytes)

    def cpu_seconds(self) -> float:
        """CPU time since it started; 0 when it has ended."""
        try:
            # clock_getcpuclockid(3) in one line: the CPU clock of a process is its number, inverted, and 2.
            return time.clock_gettime((~self.pid << 3) | 2)
        except OSError:
            return 0.0

    def status(self) -> bytes:
        """Its `/proc/<pid>/status`; nothing when it has ended."""
        return _read(self._status)

    def discard_output(self) -> None:
        """Forget what it has printed so far."""
        self.stdout.discard()
        self.stderr.discard()

    @property
    def printed_bytes(self) -> int:
        """What it has printed since `discard_output`."""
        return self.stdout.total_bytes + self.stderr.total_bytes

    def take_output(self) -> tuple[str, str]:
        """What it has printed to stdout and stderr since the last call. Does not wait."""
        if not self.printed_bytes and not self._pipes.poll(0):
            return "", ""
        return self.stdout.take(), self.stderr.take()

    def _signal(self, number: signal.Signals, flags: int = 0) -> None:
        if self._closed:
            return
        with suppress(ProcessLookupError):  # it has ended already
            signal.pidfd_send_signal(self._pidfd, number, None, flags)

    def close(self) -> None:
        """Kill it, wait for its end, give everything back."""
        if self._closed:
            return
        self.kill()
        self._closed = True
        self._ended.wait()
        os.close(self._pidfd)
        os.close(self._status)
        os.close(self._statm)
        self.channel.close()
        self.stdout.close()
        self.stderr.close()
        # A script may have left thousands of files: removing them must not hold up the other requests.
        gevent.get_hub().threadpool.apply(remove_tree.remove, (self.folder,))


def number_of(status: bytes, field: bytes) -> int:
    """The number in a field of `/proc/<pid>/status`; 0 when it is not there. Memory is in KiB."""
    _, found, rest = status.partition(field)
    return int(rest.split(maxsplit=1)[0]) if found else 0


def _own_memory(status: bytes) -> int:
    return number_of(status, b"RssAnon:") + number_of(status, b"RssShmem:")


def _open(pid: int, name: str) -> int:
    try:
        return os.open(f"/proc/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        # It has ended already. A descriptor that reads as nothing stands for its file.
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)


def _read(file: int) -> bytes:
    try:
        return os.pread(file, _STATUS_BYTES, 0)
    except OSError:
        return b""
