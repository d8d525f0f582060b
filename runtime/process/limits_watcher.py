"""Watches busy processes for the limits that the kernel does not enforce, and kills those that break one.

These are all memory of a process, its threads, and the sum of its files. The error of the run names the broken limit.
"""

from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import gevent
from gevent.event import Event

from runtime.deadlines import Deadlines
from runtime.process import disk_usage
from runtime.process.confined import Watched
from runtime.process.process import number_of

#: Seconds between two rounds over all busy processes.
INTERVAL = 0.05
#: A process with runs shorter than INTERVAL is inspected after this CPU time or this time, whichever is first: an
#: inspection costs about as much as one short run, and a process must work to use resources.
INSPECTION_CPU_SECONDS = INTERVAL / 2
INSPECTION_SECONDS = 0.5
#: Fields of /proc/<pid>/status, in KiB: memory that no file backs.
_OWN_MEMORY = (b"RssAnon:", b"RssShmem:", b"VmSwap:")
#: Field that is missing in the status of a thread that has ended.
_MEMORY = b"VmRSS:"


@dataclass(frozen=True)
class Limits:
    """Limits of one process."""

    #: Memory that no file backs.
    memory_bytes: int
    #: All its files together.
    files_bytes: int
    threads: int


@dataclass(frozen=True)
class Breach:
    """The limit that a process broke: the `kind` of the contract's error, and its message."""

    kind: str
    message: str


class Watch:
    """Watches one process during its runs, from `begin` to `end`.

    Attributes:
        late: Whether the process was killed because its run passed the deadline.
        breach: The limit for which the process was killed, or None.
    """

    def __init__(self, limits_watcher: "LimitsWatcher", process: Watched) -> None:
        self.process = process
        self.late = False
        self.breach: Breach | None = None
        self._limits_watcher = limits_watcher
        self._begun = 0.0
        self._inspected = (0.0, 0.0)

    def begin(self, seconds: float) -> None:
        """Start watching a run that may take `seconds`."""
        self._begun = monotonic()
        self._limits_watcher.begin(self, seconds)

    def end(self) -> None:
        """Stop watching: the run is over."""
        self._limits_watcher.end(self)

    def is_due(self) -> bool:
        """Return whether to inspect the process now: its run is long, or its short runs add up."""
        now, cpu = monotonic(), self.process.cpu_seconds()
        inspected, cpu_then = self._inspected
        short = now - self._begun < INTERVAL
        if short and cpu - cpu_then < INSPECTION_CPU_SECONDS and now - inspected < INSPECTION_SECONDS:
            return False
        self._inspected = (now, cpu)
        return True

    def expire(self) -> None:
        """Kill the process because its run has passed the deadline."""
        self.late = True
        self.process.kill()


class LimitsWatcher:
    """Checks all busy processes every INTERVAL, and the deadlines of their runs."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._watched: set[Watch] = set()
        self._deadlines: Deadlines[Watch] = Deadlines(Watch.expire)
        self._busy = Event()
        self._greenlet = gevent.spawn(self._check_repeatedly)

    def watch(self, process: Watched) -> Watch:
        """Return the watch of a process. It does nothing until its `begin`."""
        return Watch(self, process)

    def begin(self, watch: Watch, seconds: float) -> None:
        """Start watching a run, see `Watch.begin`."""
        self._deadlines.add(watch, seconds)
        self._watched.add(watch)
        if not self._busy.is_set():
            self._busy.set()

    def end(self, watch: Watch) -> None:
        """Stop watching a run, see `Watch.end`."""
        self._deadlines.discard(watch)
        self._watched.discard(watch)

    def close(self) -> None:
        """Stop watching all processes."""
        self._greenlet.kill()
        self._deadlines.close()

    def _check_repeatedly(self) -> None:
        while True:
            self._busy.wait()
            gevent.sleep(INTERVAL)
            for watch in [watch for watch in self._watched if watch.is_due()]:
                watch.breach = watch.breach or self._breach(watch.process)
                if watch.breach is not None:
                    watch.process.kill()
            if not self._watched:
                self._busy.clear()

    def _breach(self, process: Watched) -> Breach | None:
        limits = self._limits
        try:
            thread, status = _living_thread(process)
        except OSError:
            return None  # it has ended
        if sum(number_of(status, name) for name in _OWN_MEMORY) * 1024 > limits.memory_bytes:
            return Breach("memory_limit", f"the script used more than {limits.memory_bytes} bytes of memory")
        if number_of(status, b"Threads:") > limits.threads:
            return Breach("process_limit", f"the script started more than {limits.threads} threads")
        if disk_usage.used_bytes(process.folder, thread) > limits.files_bytes:
            return Breach("exception", f"the script's files take more than {limits.files_bytes} bytes")
        return None


def _living_thread(process: Watched) -> tuple[Path, bytes]:
    """Return the folder in /proc and the status of a thread that has not ended.

    The first thread may have ended while others run. Its folder then shows no memory and no files.

    Raises:
        OSError: All threads have ended.
    """
    first = Path(f"/proc/{process.pid}")
    if _MEMORY in (status := process.status()):
        return first, status
    for thread in (first / "task").iterdir():
        status = (thread / "status").read_bytes()
        if _MEMORY in status:
            return thread, status
    raise ProcessLookupError(f"process {process.pid} has ended")
