"""What /proc tells about processes. Linux only, as the service itself is."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PROC = Path("/proc")
#: Seconds between two looks at a condition: at least, and at most.
POLL, POLL_MAX = 0.02, 0.25


def born(pid: int) -> str | None:
    """When the process started, in the kernel's ticks: with the pid it names a process for good. None: it is gone."""
    fields = stat_fields(pid)
    return None if fields is None or fields[0] == "Z" else fields[19]


def children(pid: int) -> list[int]:
    """The pids of the direct children that live."""
    listed: list[int] = []
    with contextlib.suppress(OSError):  # it is gone, or one of its threads
        for thread in PROC.joinpath(str(pid), "task").iterdir():
            listed += map(int, thread.joinpath("children").read_text().split())
    return [child for child in listed if born(child) is not None]


def descendants(pid: int) -> list[int]:
    """The process and all that descend from it, parents first."""
    found = [pid]
    for parent in found:
        found += children(parent)
    return found


def command_line(pid: int) -> list[str]:
    """The program and its arguments; empty when the process is gone."""
    try:
        return PROC.joinpath(str(pid), "cmdline").read_text(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def name_of(pid: int) -> str:
    """The name the process has given itself, or its program's, at most 15 bytes; empty when it is gone."""
    try:
        return PROC.joinpath(str(pid), "comm").read_text(errors="replace").rstrip("\n")
    except OSError:
        return ""


def send(pid: int, number: signal.Signals) -> None:
    """Signal the process if it is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def pauses() -> Iterator[float]:
    """The seconds between looks at a condition: a tenth of the wait so far, so a long one costs little time."""
    began = time.monotonic()
    while True:
        yield min(max((time.monotonic() - began) / 10, POLL), POLL_MAX)


def wait_until(condition: Callable[[], bool], timeout: float) -> bool:
    """Look at the condition until it holds, for at most `timeout` seconds. Returns whether it does."""
    deadline = time.monotonic() + timeout
    for pause in pauses():
        if condition():
            return True
        if time.monotonic() > deadline:
            break
        time.sleep(pause)
    return False


def stat_fields(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat after the name, which may hold spaces: state, parent, ..., start time."""
    try:
        return PROC.joinpath(str(pid), "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
