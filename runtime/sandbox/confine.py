"""Confines a worker process before it runs any user code. Its child processes inherit the confinement.

`confine` switches the layers on, `active_layers` asks the kernel which are on, `required_layers` names those without
which a runtime does not start. Standard library only: the fork server loads it.
"""

import ctypes
import os
import resource
import socket
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from runtime.sandbox import landlock, seccomp

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38

#: Layers without which a runtime does not start, unless the deployment allows it.
REQUIRED = ("no_new_privs", "seccomp", "limits", "landlock_files")
#: Files that programs and libraries read on any machine, and that say nothing about its users.
MACHINE = (
    # Shared libraries, and their settings.
    *("/lib", "/lib64", "/usr/lib", "/usr/local/lib", "/etc/ld.so.cache"),
    # Time zones, languages, certificates.
    *("/etc/localtime", "/etc/timezone", "/usr/share/zoneinfo", "/usr/share/locale", "/usr/share/i18n"),
    *("/etc/ssl/openssl.cnf", "/etc/ssl/certs", "/etc/pki/tls", "/usr/share/ca-certificates"),
    # Types of files; names of services and protocols.
    *("/etc/mime.types", "/etc/apache2/mime.types", "/etc/httpd/mime.types", "/etc/httpd/conf/mime.types"),
    *("/usr/share/mime", "/etc/services", "/etc/protocols"),
    # Number and kind of the cores, memory, load.
    *("/proc/cpuinfo", "/proc/stat", "/proc/meminfo", "/proc/loadavg", "/proc/sys/vm/overcommit_memory"),
    *(f"/sys/devices/system/cpu/{name}" for name in ("online", "possible", "present")),
)
#: What libraries size their memory and threads by: limits of a control group, in both versions of the interface.
_GROUP_LIMITS = (
    *("{group}/cpu.max", "{group}/memory.max", "/memory{group}/memory.limit_in_bytes"),
    *("/cpu{group}/cpu.cfs_quota_us", "/cpu{group}/cpu.cfs_period_us"),
)
#: Writable memory that programs reserve and do not use: V8 takes 600 MiB to start, 64 threads 512 MiB, DuckDB 1 GiB.
RESERVED_BYTES = 2 << 30
#: Name of the account of every script.
USER = "script"
#: Most threads in each pool of a numerical library.
_CORES_MAX = 4
#: The kernel's files with an end, and those without one. A process can read its own memory in /proc/self endlessly.
_FINITE = ("/dev/null",)
_ENDLESS = ("/dev/zero", "/dev/urandom", "/dev/random", "/proc/self")
#: The dynamic loaders: the kernel executes them to start a program.
_LOADERS = ("ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1")

#: Sought once.
_LANDLOCK = landlock.layers(landlock.version())
_libc = ctypes.CDLL(None, use_errno=True)


def _limits_of_control_groups() -> set[str]:
    """Return the files with the limits of this process's control groups, in a container or on a machine."""
    groups = {line.split(":", 2)[2] for line in Path("/proc/self/cgroup").read_text().splitlines()}
    return {
        f"/sys/fs/cgroup{name.format(group=g.rstrip('/'))}" for g in {"", *groups} for name in _GROUP_LIMITS
    }


#: Sought once: a worker would spend as long on those that are missing.
_PRESENT = tuple(path for path in (*MACHINE, *_limits_of_control_groups()) if os.path.exists(path))  # noqa: PTH110


@dataclass(frozen=True)
class Confinement:
    """What one process may use."""

    #: Paths that it may read. Paths that do not exist are ignored.
    read: tuple[str, ...] = ()
    #: Paths that it may read and execute.
    run: tuple[str, ...] = ()
    network: bool = False
    #: Whether it may start processes.
    processes: bool = False
    #: Most private memory that it may write to, for a fork in addition to its start. Stacks of threads count in full,
    #: whatever of them is used.
    memory_bytes: int | None = None
    cpu_seconds: int | None = None
    #: Largest size of one file.
    file_bytes: int = 64 << 20
    open_files: int = 256
    #: Whether it may read the kernel's files that never end, such as /dev/zero.
    endless: bool = True
    #: The folder of all environments, and rights of `runtime.sandbox.landlock` to what is below it.
    environments: str = ""
    environments_access: int = 0
    #: Layers that are not applied, for deployments where they are not available.
    off: tuple[str, ...] = field(default=())

    def message(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def of(cls, message: dict[str, Any]) -> "Confinement":
        """Read what `message` returned, after JSON has turned tuples into lists."""
        lists = {name: tuple(message[name]) for name in ("read", "run", "off")}
        return cls(**{**message, **lists})


def prepare(confinement: Confinement) -> None:
    """Build what `confine` needs and any process may use, so that the forks of this one find it built."""
    if "seccomp" not in confinement.off:
        seccomp.metadata_filter()
        for metadata in (True, False):
            seccomp.worker_filter(
                network=confinement.network, processes=confinement.processes, metadata=metadata
            )


def confine(confinement: Confinement, folder: str, supervisor: socket.socket) -> None:
    """Confine the calling process. This cannot be undone.

    The seccomp filter comes last, because it refuses system calls that the other layers need.

    Args:
        confinement: What the process may use.
        folder: Its private folder.
        supervisor: Where to send the descriptor for a `runtime.sandbox.metadata.Listener`, if there is one.

    Raises:
        OSError: A layer cannot be applied.
    """
    off = confinement.off
    if "no_new_privs" not in off:
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    if "limits" not in off:
        _limit(confinement)
    if "landlock_files" not in off and _LANDLOCK["landlock_files"]:
        landlock.restrict(_grants(confinement, folder), network=confinement.network)
    if "seccomp" not in off:
        metadata = _hand_over_metadata(supervisor)
        network, processes = confinement.network, confinement.processes
        program = seccomp.worker_filter(network=network, processes=processes, metadata=metadata)
        seccomp.install(program.of(os.getpid()))


def _hand_over_metadata(supervisor: socket.socket) -> bool:
    """Have the supervisor make changes of modes and times. Return False where the kernel cannot hand them over."""
    try:
        listener = seccomp.install_with_listener(seccomp.metadata_filter())
    except OSError:
        return False
    socket.send_fds(supervisor, [b"x"], [listener])
    os.close(listener)
    return True


def readable(confinement: Confinement, folder: str) -> list[str]:
    """Return what a process may read, but for environments. `folder` is its private folder."""
    return [path for path, _ in _grants(replace(confinement, environments=""), folder)]


def narrows(off: Sequence[str]) -> bool:
    """Return whether a process may be narrowed further, where the layers `off` are not applied."""
    return _LANDLOCK["landlock_files"] and "landlock_files" not in off


def required_layers() -> tuple[str, ...]:
    """Return the layers required by default: REQUIRED, and the newer Landlock layers that this kernel has."""
    return REQUIRED + tuple(name for name in ("landlock_tcp", "landlock_scopes") if _LANDLOCK[name])


def interpreter_paths() -> tuple[str, ...]:
    """Return the folders of this Python's standard library, without those of installed packages."""
    paths = sysconfig.get_paths()
    return (paths["stdlib"], paths["platstdlib"], f"{sys.base_prefix}/lib")


def active_layers() -> dict[str, bool]:
    """Return which layers confine the calling process, as the kernel reports them or an attempt shows."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines())
    files = not _can_open("/etc/passwd")
    return {
        "no_new_privs": status.get("NoNewPrivs", "0") == "1",
        "seccomp": status.get("Seccomp", "0") == "2",
        "limits": resource.getrlimit(resource.RLIMIT_CORE)[1] == 0,
        **{name: files and present for name, present in _LANDLOCK.items()},
        "own_session": os.getsid(0) == os.getpid(),
        "clean_environment": set(os.environ) <= set(environment("")),
    }


def environment(folder: str) -> dict[str, str]:
    """Return the variables that every process gets. `folder` is its private folder.

    A library that starts a thread for each core would break the limit of threads on a large machine.
    """
    cores = str(min(len(os.sched_getaffinity(0)), _CORES_MAX))
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": folder,
        "TMPDIR": folder,
        **dict.fromkeys(("USER", "LOGNAME"), USER),
        **dict.fromkeys(("OMP_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS"), cores),
        "MALLOC_ARENA_MAX": cores,
    }


def die_with_parent(parent: int, signal_number: int) -> None:
    """Have the kernel send `signal_number` when the parent thread ends. Exit if it has ended already."""
    _prctl(_PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Make the calling process the parent of its orphaned descendants, so that it can kill them."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _grants(confinement: Confinement, folder: str) -> list[tuple[str, int]]:
    grants = [(path, landlock.READ) for path in (*_PRESENT, *confinement.read)]
    if confinement.environments:
        grants.append((confinement.environments, confinement.environments_access))
    kernel_files = (*_FINITE, *_ENDLESS) if confinement.endless else _FINITE
    grants += [(path, landlock.WRITE) for path in kernel_files]
    grants += [(path, landlock.RUN) for path in confinement.run]
    if confinement.run:
        grants += [(f"{place}/{name}", landlock.RUN) for place in ("/lib64", "/lib") for name in _LOADERS]
    return [*grants, (folder, landlock.OWN)]


def _limit(confinement: Confinement) -> None:
    # Where the machine's memory runs out, the kernel then ends a worker rather than the service.
    # Plainly: the layers of a text file take a process that has just been forked half a millisecond.
    score = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
    os.write(score, b"1000")
    os.close(score)
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 64 << 10,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_FSIZE: confinement.file_bytes,
        resource.RLIMIT_NOFILE: confinement.open_files,
    }
    if confinement.memory_bytes is not None:
        # An executed program starts with no memory, a fork with everything that the server has.
        start = 0 if confinement.run else _written_memory()
        limits[resource.RLIMIT_DATA] = start + confinement.memory_bytes
    for number, value in limits.items():
        resource.setrlimit(number, (value, value))
    if confinement.cpu_seconds is not None:
        # At the soft limit the kernel sends SIGXCPU, which names the reason; at the hard limit SIGKILL.
        soft = confinement.cpu_seconds
        resource.setrlimit(resource.RLIMIT_CPU, (soft, soft + 5))


def _written_memory() -> int:
    """Return the bytes of private memory that the process may write to. It shares them with the fork server."""
    pages = int(Path("/proc/self/statm").read_text().split()[5])
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
