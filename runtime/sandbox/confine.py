"""What a worker process may do: applied in the child before any of the user's code, inherited by all it starts.

`confine` switches the layers on, `active_layers` asks the kernel which are on, `missing_layers` says which of those
that are asked for this kernel lacks. Standard library only: the fork server loads it.
"""

import ctypes
import os
import resource
import sys
import sysconfig
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from runtime.sandbox import landlock, seccomp

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38

#: Layers without which a runtime does not start, unless the deployment says so.
REQUIRED = ("no_new_privs", "seccomp", "limits", "landlock_files")
#: What a program needs of the machine to run at all: shared libraries, time zones, OpenSSL's settings and roots.
MACHINE = (
    *("/lib", "/lib64", "/usr/lib", "/usr/local/lib", "/etc/ld.so.cache"),
    *(
        "/etc/localtime",
        "/usr/share/zoneinfo",
        "/etc/ssl/openssl.cnf",
        "/etc/ssl/certs",
        "/usr/share/ca-certificates",
    ),
)
#: The kernel's files that end, and those that do not: a process reads its own memory map without an end, too.
_FINITE = ("/dev/null",)
_ENDLESS = ("/dev/zero", "/dev/urandom", "/dev/random", "/proc/self")
#: The programs that start other programs: the kernel opens them as it opens a program.
_LOADERS = ("ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1")

#: Asked before the filter forbids to ask.
_LANDLOCK = landlock.layers(landlock.version())
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Confinement:
    """What one process may use. Paths that do not exist are left out.

    `memory_bytes` bounds what is mapped, by a fork beyond its start; None where a program reserves far more than it
    uses. `file_bytes` bounds one file. `endless` is whether it may read those of the kernel's files that never end.
    `off` names layers that stay off, for deployments that cannot have them.
    """

    read: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    network: bool = False
    processes: bool = False
    memory_bytes: int | None = None
    cpu_seconds: int | None = None
    file_bytes: int = 64 << 20
    open_files: int = 256
    endless: bool = True
    off: tuple[str, ...] = field(default=())

    def message(self) -> dict[str, Any]:
        """As JSON may carry it."""
        return asdict(self)

    @classmethod
    def of(cls, message: dict[str, Any]) -> "Confinement":
        lists = {name: tuple(message[name]) for name in ("read", "run", "off")}
        return cls(**{**message, **lists})


def confine(confinement: Confinement, folder: str) -> None:
    """Confine the calling process for good; `folder` is its own. Raises OSError when a layer cannot be had.

    The order matters: a filter of system calls would refuse what the other layers need.
    """
    off = confinement.off
    if "no_new_privs" not in off:
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    if "limits" not in off:
        _limit(confinement)
    if "landlock_files" not in off and _LANDLOCK["landlock_files"]:
        landlock.restrict(_grants(confinement, folder), network=confinement.network)
    if "seccomp" not in off:
        seccomp.install(
            seccomp.worker_filter(os.getpid(), network=confinement.network, processes=confinement.processes)
        )


def required_layers() -> tuple[str, ...]:
    """What a runtime asks for when the deployment says nothing: all that a kernel of today has, and this one has."""
    return REQUIRED + tuple(name for name in ("landlock_tcp", "landlock_scopes") if _LANDLOCK[name])


def interpreter_paths() -> tuple[str, ...]:
    """Where this Python's own standard library lies; not the packages that are installed beside it."""
    paths = sysconfig.get_paths()
    return (paths["stdlib"], paths["platstdlib"], f"{sys.base_prefix}/lib")


def active_layers() -> dict[str, bool]:
    """The layers that hold the calling process, as the kernel reports them and as tried."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines())
    files = not _can_open("/etc/passwd")
    return {
        "no_new_privs": status.get("NoNewPrivs", "0") == "1",
        "seccomp": status.get("Seccomp", "0") == "2",
        "limits": resource.getrlimit(resource.RLIMIT_CORE)[1] == 0,
        **{name: files and present for name, present in _LANDLOCK.items()},
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


def _grants(confinement: Confinement, folder: str) -> list[tuple[str, int]]:
    grants = [(path, landlock.READ) for path in (*MACHINE, *confinement.read)]
    kernel_files = (*_FINITE, *_ENDLESS) if confinement.endless else _FINITE
    grants += [(path, landlock.WRITE) for path in kernel_files]
    grants += [(path, landlock.RUN) for path in confinement.run]
    if confinement.run:
        grants += [(f"{place}/{name}", landlock.RUN) for place in ("/lib64", "/lib") for name in _LOADERS]
    return [*grants, (folder, landlock.OWN)]


def _limit(confinement: Confinement) -> None:
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 64 << 10,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_FSIZE: confinement.file_bytes,
        resource.RLIMIT_NOFILE: confinement.open_files,
    }
    if confinement.memory_bytes is not None:
        # A program that is executed begins with nothing, where a fork begins with all that the server has mapped.
        start = 0 if confinement.run else _address_space()
        limits[resource.RLIMIT_AS] = start + confinement.memory_bytes
    for number, value in limits.items():
        resource.setrlimit(number, (value, value))
    if confinement.cpu_seconds is not None:
        # The first limit ends the process by a signal that tells why; the second one by force.
        soft = confinement.cpu_seconds
        resource.setrlimit(resource.RLIMIT_CPU, (soft, soft + 5))


def _address_space() -> int:
    """Bytes that the process has mapped already: what it shares with the fork server is not the script's."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _can_open(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError:
        return False
    return True


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl({option}): {os.strerror(error)}")
