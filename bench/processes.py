"""What the processes of a part cost, as /proc tells it."""

import os
import re
from collections.abc import Iterable, Mapping

from local.supervisor.proc import PROC, children, command_line, descendants, stat_fields

MIB = 1024
_TICK = os.sysconf("SC_CLK_TCK")
_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)
#: utime, stime, and the same of children that have ended and were waited for, in `stat_fields`.
_TIMES = slice(11, 15)


class Meter:
    """CPU and memory of parts, each one or several processes with all their descendants.

    A process that is named itself is no descendant: a runtime's fork server and its workers are a part of their own.
    """

    def __init__(self, parts: Mapping[str, Iterable[int]]) -> None:
        self._parts = {name: list(pids) for name, pids in parts.items()}
        self._named = {pid for pids in self._parts.values() for pid in pids}

    def cpu(self) -> dict[str, float]:
        """Seconds that each part has used so far, those of its processes that have ended included."""
        return {name: sum(map(cpu_seconds, self._tree(pids))) for name, pids in self._parts.items()}

    def pss(self) -> dict[str, float]:
        """Each part's proportional share of memory, MiB: shared pages are divided by their users."""
        return self._memory("smaps_rollup", _PSS)

    def peak(self) -> dict[str, float]:
        """The sum of the largest resident sizes of a part's processes, MiB."""
        return self._memory("status", _PEAK)

    def _memory(self, file: str, pattern: re.Pattern[str]) -> dict[str, float]:
        return {
            name: sum(_kib(pid, file, pattern) for pid in self._tree(pids)) / MIB
            for name, pids in self._parts.items()
        }

    def _tree(self, pids: Iterable[int]) -> list[int]:
        found = list(pids)
        for parent in found:
            found += [child for child in children(parent) if child not in self._named]
        return found


def fork_server(runtime: int) -> int:
    """The one that forks a runtime's workers: the first, since workers go by its command line, too."""
    return next(pid for pid in descendants(runtime) if "runtime.process.forkserver" in command_line(pid))


def cpu_seconds(pid: int) -> float:
    """User and system time of the process and of its children that have ended; 0 when it is gone."""
    fields = stat_fields(pid)
    return 0.0 if fields is None else sum(map(int, fields[_TIMES])) / _TICK


def _kib(pid: int, file: str, pattern: re.Pattern[str]) -> int:
    try:
        found = pattern.search(PROC.joinpath(str(pid), file).read_text())
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(found.group(1)) if found else 0
