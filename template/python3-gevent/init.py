"""The first process of the image: `python init.py fwatchdog` runs the watchdog and outlives it by a moment.

The watchdog ends with its last answer, waits for nobody, and as process 1 would take all others down with it,
gunicorn for one, whose application still writes what it has queued. So this one waits for whoever is left. Besides,
it reaps the processes that lost their parent, which the watchdog does not.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

#: Handed on to the program, which knows what to do with them.
HANDED_ON = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP}
#: Seconds for those that outlive the program: what gunicorn_conf.py adds to the watchdog's time, and its last steps.
REMAINING = 8
PR_SET_CHILD_SUBREAPER = 36


def run(command: list[str]) -> int:
    """Runs the command, waits for what it leaves behind if it ends well, and returns its status."""
    if os.getpid() != 1:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    # Blocked, so that none is lost before somebody waits for it.
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDED_ON | {signal.SIGCHLD})
    program = os.posix_spawnp(command[0], command, os.environ, setsigmask=())
    status = supervise(program)
    if status == 0:
        wait_for_others(time.monotonic() + REMAINING)
    end_others()
    # As shells say it of a program that a signal ended.
    return status if status >= 0 else 128 - status


def supervise(program: int) -> int:
    """Returns the program's status, negative for a signal, after its end."""
    while True:
        number = signal.sigwait(HANDED_ON | {signal.SIGCHLD})
        if number != signal.SIGCHLD:
            os.kill(program, number)
        for pid, status in ended():
            if pid == program:
                return os.waitstatus_to_exitcode(status)


def wait_for_others(deadline: float) -> None:
    """Returns when no process is left, or at the deadline."""
    with suppress(ChildProcessError):
        while (left := deadline - time.monotonic()) > 0:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if not pid:
                signal.sigtimedwait({signal.SIGCHLD}, left)


def end_others() -> None:
    """What the kernel does when process 1 ends, for where this is not process 1."""
    children = Path("/proc/self/task", str(os.getpid()), "children")
    with suppress(ChildProcessError):
        while True:
            for child in children.read_text().split():
                os.kill(int(child), signal.SIGKILL)
            # Raises when none is left. Whoever loses its parent here is ours next.
            os.waitpid(-1, 0)


def ended() -> Iterator[tuple[int, int]]:
    """The pids and statuses of those that have ended since."""
    with suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            yield found


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
