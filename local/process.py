"""What /proc tells about processes. Linux only, as the service itself is."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

PROC = Path("/proc")
#: Seconds between two looks at a condition.
POLL = 0.02


def born(pid: int) -> str | None:
    """When the process started, in the kernel's ticks: with the pid it names a process for good. None: it is gone."""
    fields = _stat(pid)
    return None if fields is None or fields[0] == "Z" else fields[19]


def children(pid: int) -> list[int]:
    """The pids of the direct children that live."""
    numbers = (int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal())
    stats = ((number, _stat(number)) for number in numbers)
    return [number for number, fields in stats if fields and fields[0] != "Z" and int(fields[1]) == pid]


def command_line(pid: int) -> list[str]:
    """The program and its arguments; empty when the process is gone."""
    try:
        return PROC.joinpath(str(pid), "cmdline").read_text(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def send(pid: int, number: signal.Signals) -> None:
    """Signal the process if it is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def wait_until(condition: Callable[[], bool], timeout: float) -> bool:
    """Look at the condition until it holds, for at most `timeout` seconds. Returns whether it does."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat after the name, which may hold spaces: state, parent, ..., start time."""
    try:
        return PROC.joinpath(str(pid), "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
