"""Watches the processes at work for what no limit of the kernel bounds here: all of a process's memory, its threads,
and the sum of its files. Whoever uses too much is killed, and told why.
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

#: Seconds between two looks at everybody who is at work.
INTERVAL = 0.05
#: Of a process whose runs are shorter than that: seconds of CPU after which it gets a close look, which takes as long
#: as such a run (what a process takes, it takes by working), and the seconds after which it gets one in any case.
WORK = INTERVAL / 2
PATIENCE = 0.5
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
    """One process, whose runs are watched from `begin` to `end`.

    `late` is set when it has been killed at the deadline of its run, `breach` when it has been for a limit.
    """

    def __init__(self, overseer: "Overseer", process: Watched) -> None:
        self.process = process
        self.late = False
        self.breach: Breach | None = None
        self._overseer = overseer
        self._begun = 0.0
        self._looked_at = (0.0, 0.0)

    def begin(self, seconds: float) -> None:
        """A run begins that may take so long."""
        self._begun = monotonic()
        self._overseer.begin(self, seconds)

    def end(self) -> None:
        """The run is over."""
        self._overseer.end(self)

    def is_due(self) -> bool:
        """Whether it has to be looked at closely: its run is no short one, or many have come together."""
        now, worked = monotonic(), self.process.cpu_seconds()
        looked, worked_then = self._looked_at
        if now - self._begun < INTERVAL and worked - worked_then < WORK and now - looked < PATIENCE:
            return False
        self._looked_at = (now, worked)
        return True

    def expire(self) -> None:
        """Kill the process: its run has taken too long."""
        self.late = True
        self.process.kill()


class Overseer:
    """Looks at all processes at work in turn, as long as there are any, and keeps the time of their runs."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._watched: set[Watch] = set()
        self._deadlines: Deadlines[Watch] = Deadlines(Watch.expire)
        self._busy = Event()
        self._greenlet = gevent.spawn(self._oversee)

    def watch(self, process: Watched) -> Watch:
        """What watches a process, once it is told of a run."""
        return Watch(self, process)

    def begin(self, watch: Watch, seconds: float) -> None:
        """See `Watch`."""
        self._deadlines.add(watch, seconds)
        self._watched.add(watch)
        if not self._busy.is_set():
            self._busy.set()

    def end(self, watch: Watch) -> None:
        """See `Watch`."""
        self._deadlines.discard(watch)
        self._watched.discard(watch)

    def close(self) -> None:
        self._greenlet.kill()
        self._deadlines.close()

    def _oversee(self) -> None:
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
        if disk_usage.taken(process.folder, thread) > limits.files_bytes:
            return Breach("exception", f"the script's files take more than {limits.files_bytes} bytes")
        return None


def _living_thread(process: Watched) -> tuple[Path, bytes]:
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
