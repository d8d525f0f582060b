"""The first process of the image: `python init.py fwatchdog` runs the watchdog and waits for what is left after it.

The watchdog ends after its last response. If it were process 1, its end would kill all other processes, among them
gunicorn, while the application still writes queued data. So this program waits for the remaining processes. It also
reaps orphaned processes, which the watchdog does not.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

#: Signals that are passed on to the program.
HANDED_ON = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP}
#: Seconds for the processes that outlive the program: the last steps of gunicorn_conf.py.
REMAINING = 8
PR_SET_CHILD_SUBREAPER = 36


def run(command: list[str]) -> int:
    """Run a command, wait for the processes that it leaves if it succeeds, and return its status."""
    if os.getpid() != 1:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    # Blocked signals are not lost before `sigwait`.
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDED_ON | {signal.SIGCHLD})
    program = os.posix_spawnp(command[0], command, os.environ, setsigmask=())
    status = supervise(program)
    if status == 0:
        wait_for_others(time.monotonic() + REMAINING)
    end_others()
    # The status that shells return for a program that was ended by a signal.
    return status if status >= 0 else 128 - status


def supervise(program: int) -> int:
    """Wait for the end of the program and return its status, negative for a signal."""
    while True:
        number = signal.sigwait(HANDED_ON | {signal.SIGCHLD})
        if number != signal.SIGCHLD:
            os.kill(program, number)
        for pid, status in ended():
            if pid == program:
                return os.waitstatus_to_exitcode(status)


def wait_for_others(deadline: float) -> None:
    """Wait until no process is left, or until the deadline."""
    with suppress(ChildProcessError):
        while (left := deadline - time.monotonic()) > 0:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if not pid:
                signal.sigtimedwait({signal.SIGCHLD}, left)


def end_others() -> None:
    """Kill all other processes, as the kernel does when process 1 ends. This may not be process 1."""
    children = Path("/proc/self/task", str(os.getpid()), "children")
    with suppress(ChildProcessError):
        while True:
            for child in children.read_text().split():
                os.kill(int(child), signal.SIGKILL)
            # Raises when none is left. Orphans of the killed processes become our children.
            os.waitpid(-1, 0)


def ended() -> Iterator[tuple[int, int]]:
    """Yield pid and status of each child that has ended."""
    with suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            yield found


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
