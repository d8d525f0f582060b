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

#: Most seconds between two looks at a busy process.
INTERVAL = 0.05
#: Least seconds between two looks at the memory of a process that comes close to its limit.
_SHORTEST = 0.004
#: Bytes in a second that a process may take from one look to the next, even if it took less before. The kernel gives
#: two or three times as many; with the limit far away, a look is early enough all the same.
_SUDDEN_GROWTH = 1 << 30
#: A process with runs shorter than INTERVAL is inspected after this CPU time or this time, whichever is first: an
#: inspection costs about as much as one short run, and a process must work to use resources.
INSPECTION_CPU_SECONDS = INTERVAL / 2
INSPECTION_SECONDS = 0.5
#: Fields of /proc/<pid>/status, in KiB: memory that no file backs, and the kernel's tables of all mapped memory.
_OWN_MEMORY = (b"RssAnon:", b"RssShmem:", b"VmSwap:", b"VmPTE:")
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
        #: When to look at its memory again.
        self.look_at = 0.0
        self._begun = 0.0
        self._inspected = (0.0, 0.0)
        self._memory = (0.0, 0)

    def begin(self, seconds: float) -> None:
        """Start watching a run that may take `seconds`."""
        self._begun = monotonic()
        self.look_at = self._begun + INTERVAL
        self._limits_watcher.begin(self, seconds)

    def end(self) -> None:
        """Stop watching: the run is over."""
        self._limits_watcher.end(self)

    def is_due(self, now: float) -> bool:
        """Return whether to inspect the process: its run is long, or its short runs add up."""
        cpu = self.process.cpu_seconds()
        inspected, cpu_then = self._inspected
        if now - self._begun < INTERVAL:
            due = cpu - cpu_then >= INSPECTION_CPU_SECONDS or now - inspected >= INSPECTION_SECONDS
        else:
            due = now - inspected >= INTERVAL - _SHORTEST
        if due:
            self._inspected = (now, cpu)
        return due

    def schedule(self, now: float, memory_bytes: int, limit_bytes: int) -> None:
        """Set `look_at`: half of the time until the process reaches its limit if it grows as since the last look."""
        then, bytes_then = self._memory
        self._memory = (now, memory_bytes)
        growth = max(2 * (memory_bytes - bytes_then) / max(now - then, _SHORTEST), _SUDDEN_GROWTH)
        self.look_at = now + min(INTERVAL, max(_SHORTEST, (limit_bytes - memory_bytes) / growth))

    def expire(self) -> None:
        """Kill the process because its run has passed the deadline."""
        self.late = True
        self.process.kill()


class LimitsWatcher:
    """Checks all busy processes every INTERVAL or more often, and the deadlines of their runs."""

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
            gevent.sleep(self._pause())
            now = monotonic()
            for watch in list(self._watched):
                self._check(watch, now)
            if not self._watched:
                self._busy.clear()

    def _pause(self) -> float:
        """Return the seconds until the next look."""
        first = min((watch.look_at for watch in self._watched), default=0.0) - monotonic()
        return min(INTERVAL, max(_SHORTEST, first))

    def _check(self, watch: Watch, now: float) -> None:
        inspected = watch.is_due(now)
        if watch.breach is not None or not (inspected or now >= watch.look_at):
            return
        try:
            thread, status = _living_thread(watch.process)
        except OSError:
            return  # it has ended
        memory = sum(number_of(status, name) for name in _OWN_MEMORY) * 1024
        watch.schedule(now, memory, self._limits.memory_bytes)
        if memory > self._limits.memory_bytes:
            message = (
                f"the script used more than {self._limits.memory_bytes} bytes of memory: it had {memory}"
            )
            watch.breach = Breach("memory_limit", message)
        elif inspected:
            watch.breach = self._breach(watch.process, thread, status)
        if watch.breach is not None:
            watch.process.kill()

    def _breach(self, process: Watched, thread: Path, status: bytes) -> Breach | None:
        """Return the limit other than memory that a process has broken."""
        limits = self._limits
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
