"""What a worker process may do: applied in the child before any of the user's code, inherited by all it starts.

`confine` switches the layers on; `active_layers` asks the kernel which are on. Standard library only: the fork
server loads it.
"""

import ctypes
import os
import resource
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38

_libc = ctypes.CDLL(None, use_errno=True)


def confine() -> None:
    """Confine the calling process for good. Raises OSError when a layer cannot be switched on."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def active_layers() -> dict[str, bool]:
    """The layers that hold the calling process, as the kernel reports them."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "no_new_privs": status.get("NoNewPrivs", "0") == "1",
        "seccomp": status.get("Seccomp", "0") == "2",
        "no_core_dumps": resource.getrlimit(resource.RLIMIT_CORE)[1] == 0,
        "own_session": os.getsid(0) == os.getpid(),
        "clean_environment": set(os.environ) <= {"HOME", "LANG", "PATH", "TMPDIR"},
    }


def die_with_parent(parent: int, signal_number: int) -> None:
    """Have the kernel send `signal_number` when the parent thread ends; end at once if it is gone already."""
    _prctl(_PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Make the calling process the parent of every orphaned descendant, so that none escapes it."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl({option}): {os.strerror(error)}")
