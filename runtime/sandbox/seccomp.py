"""The seccomp filter of a worker: an allowlist of system calls, in classic BPF.

A call that is not listed fails with ENOSYS, as if the kernel did not have it. Libraries have a fallback for that, and
a script gets an error that it can report; killing the process would allow neither. Some calls are allowed only with
certain arguments, and fail with a fitting error number otherwise. Calls that change a file's mode or times are handed
to the fork server (see `runtime.sandbox.metadata`) by a second filter: its answer precedes that of the first.

Standard library only: the fork server loads it.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from runtime.sandbox import syscalls

_SECCOMP_SET_MODE_FILTER = 1
_FILTER_FLAG_NEW_LISTENER = 1 << 3
#: A signal does not interrupt a call that is being answered. Since Linux 5.19.
_FILTER_FLAG_WAIT_KILLABLE_RECV = 1 << 5
_SECCOMP_SYSCALL = {"x86_64": 317, "aarch64": 277}

_RET_KILL_PROCESS = 0x80000000
_RET_ERRNO = 0x00050000
_RET_USER_NOTIF = 0x7FC00000
_RET_ALLOW = 0x7FFF0000

#: `struct sock_filter`: code, ways if true and false, operand; and where the operand is in it.
_INSTRUCTION = struct.Struct("<HBBI")
_OPERAND = 4
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE = 0, 4
#: The bit of calls of the x32 interface. None of our programs uses it.
_X32 = 0x40000000

_CLONE_FILES, _CLONE_THREAD = 0x00000400, 0x00010000
_CLOSE_RANGE_CLOEXEC = 4
_SOCK_TYPE_MASK_FLAGS = (0, 0o4000, 0o2000000, 0o2004000)  # none, NONBLOCK, CLOEXEC, both
_SOCK_STREAM, _SOCK_DGRAM = 1, 2
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_PR_NAME_AND_VMA = (15, 16, 0x53564D41)
#: TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX: the requests that language runtimes make.
_IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)

#: Stands for the pid of the process in a filter that is built before the process exists. An operand has 32 bits.
_OWN_PID = 1 << 32

#: sendmsg is among them because a message can carry descriptors, and keep files open that the limits do not see.
_CONNECTING = ("connect", "bind", "listen", "accept", "accept4", "sendmsg", "sendmmsg")
#: Landlock does not cover these calls, and a filter cannot read the path or know what a descriptor is.
METADATA = (
    *("chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat"),
    *("utime", "utimes", "futimesat", "utimensat"),
)
#: Calls that fail with the error number of an ordinary user, or of a file system that does not support them: programs
#: that copy files go on after these.
_REFUSED = {
    errno.EPERM: ("mknod", "mknodat", "setpriority"),
    errno.ENOTSUP: tuple(
        f"{prefix}{name}xattr" for name in ("set", "get", "list", "remove") for prefix in ("", "l", "f")
    ),
}
_CONDITIONAL = frozenset(
    {
        "clone",
        "clone3",
        "close_range",
        "fork",
        "vfork",
        "kill",
        "tgkill",
        "prctl",
        "prlimit64",
        "ioctl",
        "socket",
        "socketpair",
        "sched_setaffinity",
        *_CONNECTING,
        *METADATA,
        *(name for names in _REFUSED.values() for name in names),
    }
)


@dataclass(frozen=True)
class Condition:
    """A condition on one argument of a call: its lower half must be one of `values`, or have one of `bits`.

    Attributes:
        argument: The argument's position, from 0.
        values: The allowed values.
        bits: Bits of which at least one must be set.
        upper_half: Whether to check the upper half instead.
    """

    argument: int
    values: tuple[int, ...] = ()
    bits: int = 0
    upper_half: bool = False

    def instructions(self) -> list[tuple[int, int, str, str]]:
        """Return BPF instructions: code, operand, and where to go if it is true or false (`on`, `done`, `refuse`)."""
        offset = 16 + 8 * self.argument + (4 if self.upper_half else 0)
        load = (_LOAD, offset, "on", "on")
        if self.bits:
            return [load, (_ANY_BIT, self.bits, "done", "refuse")]
        *first, last = self.values
        return [load, *((_EQUAL, value, "done", "on") for value in first), (_EQUAL, last, "done", "refuse")]


@dataclass(frozen=True)
class Program:
    """A filter that is complete but for the pid of its process.

    Attributes:
        code: The BPF program.
        pids: Where in it the pid belongs, in bytes from its start.
    """

    code: bytes
    pids: tuple[int, ...]

    def of(self, pid: int) -> bytes:
        """Return the BPF program for the process `pid`."""
        code = bytearray(self.code)
        for place in self.pids:
            struct.pack_into("<I", code, place, pid)
        return bytes(code)


class Filter:
    """Builds a filter. Rules are checked in the order in which they are added."""

    def __init__(self) -> None:
        self._numbers = syscalls.numbers()
        self._program: list[bytes] = []
        self._pids: list[int] = []
        self._add(_LOAD, _ARCHITECTURE)
        self._add(_EQUAL, syscalls.architecture(), 1, 0)
        self._return(_RET_KILL_PROCESS)
        self._add(_LOAD, _NUMBER)
        self._add(_AT_LEAST, _X32, 0, 1)
        self._return(_RET_KILL_PROCESS)

    def allow(self, names: Iterable[str]) -> None:
        """Allow calls with any arguments."""
        self._answer(names, _RET_ALLOW)

    def refuse(self, names: Iterable[str], error: int) -> None:
        """Make calls fail with an error number."""
        self._answer(names, _RET_ERRNO | error)

    def allow_when(self, name: str, conditions: Sequence[Condition], error: int) -> None:
        """Allow a call if all conditions hold; make it fail with an error number otherwise."""
        checks = [condition.instructions() for condition in conditions]
        length = sum(map(len, checks)) + 2
        self._add(_EQUAL, self._numbers[name], 0, length)
        left = length
        for check in checks:
            for place, (code, operand, hold, fail) in enumerate(check):
                left -= 1
                # Jumps count from the next instruction: to the next check, or to the refusal at the end.
                ways = {"on": 0, "done": len(check) - place - 1, "refuse": left - 1}
                self._add(code, operand, ways[hold], ways[fail])
        self._return(_RET_ALLOW)
        self._return(_RET_ERRNO | error)

    def notify(self, names: Iterable[str]) -> None:
        """Hand calls to the process that has the filter's listener."""
        self._answer(names, _RET_USER_NOTIF)

    def finished(self, default: int = _RET_ERRNO | errno.ENOSYS) -> Program:
        """Return the program.

        Args:
            default: The answer to all calls without a rule.
        """
        self._return(default)
        return Program(b"".join(self._program), tuple(self._pids))

    def _answer(self, names: Iterable[str], value: int) -> None:
        for name in names:
            if name in self._numbers:
                self._add(_EQUAL, self._numbers[name], 0, 1)
                self._return(value)

    def _return(self, value: int) -> None:
        self._add(_RETURN, value)

    def _add(self, code: int, operand: int, on_true: int = 0, on_false: int = 0) -> None:
        if operand == _OWN_PID:
            self._pids.append(len(self._program) * _INSTRUCTION.size + _OPERAND)
            operand = 0
        self._program.append(_INSTRUCTION.pack(code, on_true, on_false, operand))


# Both are built once and kept: to build them takes a process that has just been forked over a millisecond.
@cache
def metadata_filter() -> bytes:
    """Return the filter that hands the calls of METADATA to the listener and allows all others."""
    rules = Filter()
    rules.notify(METADATA)
    return rules.finished(default=_RET_ALLOW).code


@cache
def worker_filter(*, network: bool, processes: bool, metadata: bool) -> Program:
    """Return the filter of a worker process, which may signal no process but itself.

    Args:
        network: Whether it may open internet sockets.
        processes: Whether it may start processes, as a compiler does, or threads only.
        metadata: Whether the process has `metadata_filter` too, which hands over the calls of METADATA.
    """
    rules = Filter()
    rules.allow(name for name in syscalls.numbers() if name not in _CONDITIONAL)
    # A filter cannot read the flags of clone3, which are in memory. On ENOSYS glibc uses clone instead.
    rules.refuse(["clone3"], errno.ENOSYS)
    if processes:
        rules.allow(["clone", "fork", "vfork"])
    else:
        # All threads must share their descriptors: the limits watcher reads those of one thread.
        thread = [Condition(0, bits=_CLONE_THREAD), Condition(0, bits=_CLONE_FILES)]
        rules.allow_when("clone", thread, errno.EAGAIN)
        rules.refuse(["fork", "vfork"], errno.EAGAIN)
    rules.allow_when("close_range", [Condition(2, (0, _CLOSE_RANGE_CLOEXEC))], errno.EPERM)
    own = [Condition(0, (_OWN_PID,))]
    rules.allow_when("kill", own, errno.EPERM)
    rules.allow_when("tgkill", own, errno.EPERM)
    rules.allow_when("prctl", [Condition(0, _PR_NAME_AND_VMA)], errno.EPERM)
    # A process may read its own limits, but not change them.
    nothing_new = [Condition(2, (0,)), Condition(2, (0,), upper_half=True)]
    rules.allow_when("prlimit64", [Condition(0, (0, _OWN_PID)), *nothing_new], errno.EPERM)
    rules.allow_when("ioctl", [Condition(1, _IOCTLS)], errno.ENOTTY)
    rules.allow_when("sched_setaffinity", [Condition(0, (0, _OWN_PID))], errno.EPERM)
    for error, names in _REFUSED.items():
        rules.refuse(names, error)
    if metadata:
        rules.allow(METADATA)
    else:
        rules.refuse(METADATA, errno.EPERM)
    _allow_sockets(rules, network=network)
    return rules.finished()


def _allow_sockets(rules: Filter, *, network: bool) -> None:
    # A datagram socket of a pair could be connected to another socket of the machine by its path.
    streams = tuple(_SOCK_STREAM | flags for flags in _SOCK_TYPE_MASK_FLAGS)
    rules.allow_when("socketpair", [Condition(0, (_AF_UNIX,)), Condition(1, streams)], errno.EACCES)
    if network:
        datagrams = tuple(_SOCK_DGRAM | flags for flags in _SOCK_TYPE_MASK_FLAGS)
        internet = [Condition(0, (_AF_INET, _AF_INET6)), Condition(1, streams + datagrams)]
        rules.allow_when("socket", internet, errno.EACCES)
        rules.allow(_CONNECTING)
    else:
        rules.refuse(["socket", *_CONNECTING], errno.EACCES)


class _SockFprog(ctypes.Structure):
    """The kernel's `struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def install(program: bytes) -> None:
    """Apply a filter to the calling process. This cannot be undone, and requires no_new_privs.

    Raises:
        OSError: The kernel refused the filter.
    """
    _install(program, 0)


def install_with_listener(program: bytes) -> int:
    """Apply a filter as `install`. Return the descriptor on which the calls that it hands over are received.

    Raises:
        OSError: The kernel refused the filter, for instance because a container's filter has a listener already.
    """
    try:
        return _install(program, _FILTER_FLAG_NEW_LISTENER | _FILTER_FLAG_WAIT_KILLABLE_RECV)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return _install(program, _FILTER_FLAG_NEW_LISTENER)


def _install(program: bytes, flags: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    described = _SockFprog(len(program) // _INSTRUCTION.size, program)
    number = _SECCOMP_SYSCALL[os.uname().machine]
    answer: int = libc.syscall(number, _SECCOMP_SET_MODE_FILTER, flags, ctypes.byref(described))
    if answer < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"seccomp: {os.strerror(error)}")
    return answer
