"""The system call filter of a worker: a list of what it may do; every other call fails as if the kernel had it not.

Classic BPF, as seccomp(2) wants it. What is not listed is answered with ENOSYS, to which libraries have a fallback,
and not with a kill: a script that tries something gets an error it can report. Some calls are allowed only with
certain arguments, and fail with the error number that fits otherwise.

Standard library only: the fork server loads it.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runtime.sandbox import syscalls

_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_SYSCALL = {"x86_64": 317, "aarch64": 277}

_RET_KILL_PROCESS = 0x80000000
_RET_ERRNO = 0x00050000
_RET_ALLOW = 0x7FFF0000

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE = 0, 4
#: Calls of the x32 interface have this bit; nothing of ours uses it.
_X32 = 0x40000000

_CLONE_FILES, _CLONE_THREAD = 0x00000400, 0x00010000
_CLOSE_RANGE_CLOEXEC = 4
_SOCK_TYPE_MASK_FLAGS = (0, 0o4000, 0o2000000, 0o2004000)  # none, NONBLOCK, CLOEXEC, both
_SOCK_STREAM, _SOCK_DGRAM = 1, 2
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_PR_NAME_AND_VMA = (15, 16, 0x53564D41)
#: TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX: what runtimes ask of descriptors.
_IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)

#: Sending messages is among them because a message may carry descriptors, and hold files that nobody sees.
_CONNECTING = ("connect", "bind", "listen", "accept", "accept4", "sendmsg", "sendmmsg")
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
        *_CONNECTING,
    }
)


@dataclass(frozen=True)
class Condition:
    """An argument, by its place, that must have one of some values in its lower half, or one of some bits."""

    argument: int
    values: tuple[int, ...] = ()
    bits: int = 0
    upper_half: bool = False

    def instructions(self) -> list[tuple[int, int, str, str]]:
        """Code, operand, and where to go when it holds and when not: `on`, `done` or `refuse`."""
        offset = 16 + 8 * self.argument + (4 if self.upper_half else 0)
        load = (_LOAD, offset, "on", "on")
        if self.bits:
            return [load, (_ANY_BIT, self.bits, "done", "refuse")]
        *first, last = self.values
        return [load, *((_EQUAL, value, "done", "on") for value in first), (_EQUAL, last, "done", "refuse")]


class Filter:
    """A filter under construction."""

    def __init__(self) -> None:
        self._numbers = syscalls.numbers()
        self._program: list[bytes] = []
        self._add(_LOAD, _ARCHITECTURE)
        self._add(_EQUAL, syscalls.architecture(), 1, 0)
        self._return(_RET_KILL_PROCESS)
        self._add(_LOAD, _NUMBER)
        self._add(_AT_LEAST, _X32, 0, 1)
        self._return(_RET_KILL_PROCESS)

    def allow(self, names: Iterable[str]) -> None:
        """Allow calls, whatever their arguments."""
        for name in names:
            if name in self._numbers:
                self._add(_EQUAL, self._numbers[name], 0, 1)
                self._return(_RET_ALLOW)

    def refuse(self, names: Iterable[str], error: int) -> None:
        """Have calls fail with this error number."""
        for name in names:
            if name in self._numbers:
                self._add(_EQUAL, self._numbers[name], 0, 1)
                self._return(_RET_ERRNO | error)

    def allow_when(self, name: str, conditions: Sequence[Condition], error: int) -> None:
        """Allow a call when all conditions hold; have it fail with this error number otherwise."""
        checks = [instructions for condition in conditions for instructions in [condition.instructions()]]
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

    def finished(self) -> bytes:
        """The program, refusing all that was not named."""
        self._return(_RET_ERRNO | errno.ENOSYS)
        return b"".join(self._program)

    def _return(self, value: int) -> None:
        self._add(_RETURN, value)

    def _add(self, code: int, operand: int, on_true: int = 0, on_false: int = 0) -> None:
        self._program.append(struct.pack("<HBBI", code, on_true, on_false, operand))


def worker_filter(pid: int, *, network: bool, processes: bool) -> bytes:
    """The filter of a worker process.

    Args:
        pid: of the process itself, the only one it may signal.
        network: whether it may open internet sockets.
        processes: whether it may start processes (a compiler), or threads only.
    """
    rules = Filter()
    rules.allow(name for name in syscalls.numbers() if name not in _CONDITIONAL)
    # glibc falls back from clone3, whose flags lie in memory, to clone, whose flags a filter can read.
    rules.refuse(["clone3"], errno.ENOSYS)
    if processes:
        rules.allow(["clone", "fork", "vfork"])
    else:
        # All threads have the same descriptors, so that a look at one shows what is open.
        thread = [Condition(0, bits=_CLONE_THREAD), Condition(0, bits=_CLONE_FILES)]
        rules.allow_when("clone", thread, errno.EAGAIN)
        rules.refuse(["fork", "vfork"], errno.EAGAIN)
    rules.allow_when("close_range", [Condition(2, (0, _CLOSE_RANGE_CLOEXEC))], errno.EPERM)
    own = [Condition(0, (pid,))]
    rules.allow_when("kill", own, errno.EPERM)
    rules.allow_when("tgkill", own, errno.EPERM)
    rules.allow_when("prctl", [Condition(0, _PR_NAME_AND_VMA)], errno.EPERM)
    # Limits may be read, one's own.
    nothing_new = [Condition(2, (0,)), Condition(2, (0,), upper_half=True)]
    rules.allow_when("prlimit64", [Condition(0, (0, pid)), *nothing_new], errno.EPERM)
    rules.allow_when("ioctl", [Condition(1, _IOCTLS)], errno.ENOTTY)
    _allow_sockets(rules, network=network)
    return rules.finished()


def _allow_sockets(rules: Filter, *, network: bool) -> None:
    # A pair of datagram sockets could be connected to some other socket of the machine by its path.
    streams = tuple(_SOCK_STREAM | flags for flags in _SOCK_TYPE_MASK_FLAGS)
    rules.allow_when("socketpair", [Condition(0, (_AF_UNIX,)), Condition(1, streams)], errno.EACCES)
    if network:
        datagrams = tuple(_SOCK_DGRAM | flags for flags in _SOCK_TYPE_MASK_FLAGS)
        internet = [Condition(0, (_AF_INET, _AF_INET6)), Condition(1, streams + datagrams)]
        rules.allow_when("socket", internet, errno.EACCES)
        rules.allow(_CONNECTING)
    else:
        rules.refuse(["socket", *_CONNECTING], errno.EACCES)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def install(program: bytes) -> None:
    """Put the calling process under the filter for good. Needs no_new_privs. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    described = _Program(len(program) // 8, program)
    number = _SECCOMP_SYSCALL[os.uname().machine]
    if libc.syscall(number, _SECCOMP_SET_MODE_FILTER, 0, ctypes.byref(described)) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"seccomp: {os.strerror(error)}")
