"""One confined process, as the front sees it."""

import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import gevent
from gevent import socket
from gevent.event import AsyncResult

from runtime import folders
from runtime.output import Output
from runtime.sandbox import Confinement

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
        # Held open: finding the file again for each call would cost several times the reading.
        self._status = _open_status(pid)

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
        status = self.status()
        return Usage(
            self.cpu_seconds(),
            number_of(status, b"VmHWM:") * 1024,
            (number_of(status, b"RssAnon:") + number_of(status, b"RssShmem:")) * 1024,
        )

    def cpu_seconds(self) -> float:
        """CPU time since it started; 0 when it has ended."""
        try:
            # clock_getcpuclockid(3) in one line: the CPU clock of a process is its number, inverted, and 2.
            return time.clock_gettime((~self.pid << 3) | 2)
        except OSError:
            return 0.0

    def status(self) -> bytes:
        """Its `/proc/<pid>/status`; nothing when it has ended."""
        try:
            return os.pread(self._status, _STATUS_BYTES, 0)
        except OSError:
            return b""

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
        self.channel.close()
        self.stdout.close()
        self.stderr.close()
        # A script may have left thousands of files: removing them must not hold up the other requests.
        gevent.get_hub().threadpool.apply(folders.remove, (self.folder,))


def number_of(status: bytes, field: bytes) -> int:
    """The number in a field of `/proc/<pid>/status`; 0 when it is not there. Memory is in KiB."""
    _, found, rest = status.partition(field)
    return int(rest.split(maxsplit=1)[0]) if found else 0


def _open_status(pid: int) -> int:
    try:
        return os.open(f"/proc/{pid}/status", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        # It has ended already. A descriptor that reads as nothing stands for its file.
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
