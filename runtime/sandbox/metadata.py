"""Changes modes, times and owners of files for workers: the system calls of `seccomp.METADATA`.

All workers of a runtime run as one user, who may change every file of the service, and neither Landlock nor a filter
of system calls can limit these calls to a folder. So the kernel stops them and hands them to the fork server, which
opens the file, checks that it lies in the worker's private folder, and makes the change itself on what it has opened.
The worker cannot exchange the file between the check and the change. Standard library only: the fork server loads it.
"""

import errno
import fcntl
import os
import select
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from runtime.sandbox import seccomp, syscalls

#: SECCOMP_IOCTL_NOTIF_RECV and SECCOMP_IOCTL_NOTIF_SEND, with the structures of calls and answers.
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_CALL = struct.Struct("=QIIiIQ6Q")
_ANSWER = struct.Struct("=QqiI")

_PATH_MAX = 4096
_AT_FDCWD = -100
_AT_SYMLINK_NOFOLLOW, _AT_EMPTY_PATH = 0x100, 0x1000
_UTIME_NOW, _UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2
#: Not the bits that make a program run as its owner.
_MODE = 0o1777
#: A pair of times for these calls: the structure, and nanoseconds of each unit of its second number.
_SECONDS = struct.Struct("qq")
_PAIRS = struct.Struct("qqqq")


@dataclass(frozen=True)
class _Change:
    """A change that a process asks for."""

    #: Descriptor of the folder that a relative path starts from, or of the file itself where there is no path.
    descriptor: int
    #: Address of the path; None where the descriptor is that of the file.
    path: int | None
    #: Makes the change to an opened file.
    apply: "Callable[[_Caller, str], None]"
    flags: int = 0


class _Caller:
    """The process that waits for its call's answer."""

    def __init__(self, thread: int) -> None:
        self._proc = f"/proc/{thread}"

    def open(self, change: _Change) -> int:
        """Open the file that the call names, as the process would, but without access to its content.

        Raises:
            OSError: As the kernel would refuse the path.
        """
        flags = os.O_PATH | os.O_CLOEXEC
        path = "" if change.path is None else self._text(change.path)
        if not path:
            if change.path is not None and not change.flags & _AT_EMPTY_PATH:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            return os.open(self._of(change.descriptor), flags)
        if change.flags & _AT_SYMLINK_NOFOLLOW:
            flags |= os.O_NOFOLLOW
        # What libc makes of a descriptor; in this process it would name another one.
        path = path.replace("/proc/self/", f"{self._proc}/", 1) if path.startswith("/proc/self/") else path
        start = os.open(self._of(change.descriptor), os.O_PATH | os.O_CLOEXEC) if path[0] != "/" else None
        try:
            return os.open(path, flags, dir_fd=start)
        finally:
            if start is not None:
                os.close(start)

    def read(self, address: int, size: int) -> bytes:
        """Return what lies at an address of its memory, `size` bytes or less. Raises OSError."""
        memory = os.open(f"{self._proc}/mem", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(memory, size, address)
        except (OSError, OverflowError):
            raise OSError(errno.EFAULT, os.strerror(errno.EFAULT)) from None
        finally:
            os.close(memory)

    def _text(self, address: int) -> str:
        path, end, _ = self.read(address, _PATH_MAX).partition(b"\0")
        if not end:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        return os.fsdecode(path)

    def _of(self, descriptor: int) -> str:
        if descriptor == _AT_FDCWD:
            return f"{self._proc}/cwd"
        if descriptor < 0 or not os.path.lexists(f"{self._proc}/fd/{descriptor}"):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return f"{self._proc}/fd/{descriptor}"


class Listener:
    """Answers the calls of one process and its children.

    Args:
        descriptor: What `seccomp.install_with_listener` returned, readable when a process waits. `close` closes it.
        folder: The private folder of the process.
    """

    def __init__(self, descriptor: int, folder: str) -> None:
        self.descriptor = descriptor
        self._folder = os.path.realpath(folder)
        self._calls = select.poll()
        self._calls.register(descriptor, select.POLLIN)

    def answer(self) -> bool:
        """Receive a call that waits, make the change, and send the answer.

        Returns:
            False when the process and its children have ended: no more calls will come.
        """
        events = dict(self._calls.poll(0)).get(self.descriptor, 0)
        if not events & select.POLLIN:
            # Receiving would block. A signal may have withdrawn the call, to be made again.
            return not events & select.POLLHUP
        buffer = bytearray(_CALL.size)
        # The caller may be killed at any time; nothing waits for an answer then.
        with suppress(OSError):
            fcntl.ioctl(self.descriptor, _RECEIVE, buffer)
            number, thread, _, call, _, _, *arguments = _CALL.unpack(buffer)
            error = self._error(_NAMES[call], thread, arguments)
            fcntl.ioctl(self.descriptor, _SEND, bytearray(_ANSWER.pack(number, 0, -error, 0)))
        return True

    def close(self) -> None:
        """Stop listening. Calls that wait, and later ones, fail with ENOSYS."""
        os.close(self.descriptor)

    def _error(self, name: str, thread: int, arguments: list[int]) -> int:
        """Make the change. Return the number of the error, 0 for none."""
        change, caller = _READERS[name](*arguments), _Caller(thread)
        try:
            opened = caller.open(change)
            try:
                path = f"/proc/self/fd/{opened}"
                place = os.readlink(path)  # noqa: PTH115
                if place != self._folder and not place.startswith(f"{self._folder}/"):
                    return errno.EPERM
                change.apply(caller, path)
            finally:
                os.close(opened)
        except OSError as error:
            return error.errno or errno.EPERM
        except (ValueError, OverflowError):
            return errno.EINVAL
        return 0


def _mode(mode: int) -> "Callable[[_Caller, str], None]":
    return lambda _, path: os.chmod(path, mode & _MODE)  # noqa: PTH101 - called in a loop, a Path is slow


def _owner(user: int, group: int) -> "Callable[[_Caller, str], None]":
    """Return what accepts the present owner: a private folder has the user and group of this process throughout."""

    def apply(_: _Caller, path: str) -> None:
        if _signed(user) not in (-1, os.getuid()) or _signed(group) not in (-1, os.getgid()):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), path)

    return apply


def _times(address: int, unit: int) -> "Callable[[_Caller, str], None]":
    """Return what sets the times at an address.

    Args:
        address: Of the times of access and of modification. 0: now.
        unit: Nanoseconds of one unit of a time's second number. 0: times are whole seconds.
    """

    def apply(caller: _Caller, path: str) -> None:
        if not address:
            os.utime(path)
            return
        form = _PAIRS if unit else _SECONDS
        numbers = caller.read(address, form.size)
        if len(numbers) < form.size:
            raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
        values = form.unpack(numbers)
        if not unit:
            os.utime(path, values)
            return
        about = os.stat(path)  # noqa: PTH116
        access = _nanoseconds(values[0], values[1], unit, about.st_atime_ns)
        os.utime(path, ns=(access, _nanoseconds(values[2], values[3], unit, about.st_mtime_ns)))

    return apply


def _nanoseconds(seconds: int, parts: int, unit: int, present: int) -> int:
    if unit == 1 and parts == _UTIME_OMIT:
        return present
    if unit == 1 and parts == _UTIME_NOW:
        return time.time_ns()
    if not 0 <= parts * unit < 10**9:
        raise ValueError(parts)
    return seconds * 10**9 + parts * unit


def _signed(argument: int) -> int:
    """Return a descriptor or the number of a user: the lower half of the argument, with a sign."""
    lower = argument & 0xFFFFFFFF
    return lower - (1 << 32) if lower >= 1 << 31 else lower


def _of_times(folder: int, path: int, apply: "Callable[[_Caller, str], None]", flags: int = 0) -> _Change:
    """Return a change of times by a call that takes a descriptor alone, too: without a path."""
    descriptor = _signed(folder)
    return _Change(descriptor, None if not path and descriptor != _AT_FDCWD else path, apply, flags)


#: By name of the call, what reads its six arguments.
_READERS: dict[str, Callable[..., _Change]] = {
    "chmod": lambda path, mode, *_: _Change(_AT_FDCWD, path, _mode(mode)),
    "fchmod": lambda file, mode, *_: _Change(_signed(file), None, _mode(mode)),
    "fchmodat": lambda folder, path, mode, *_: _Change(_signed(folder), path, _mode(mode)),
    "fchmodat2": lambda folder, path, mode, flags, *_: _Change(_signed(folder), path, _mode(mode), flags),
    "chown": lambda path, user, group, *_: _Change(_AT_FDCWD, path, _owner(user, group)),
    "fchown": lambda file, user, group, *_: _Change(_signed(file), None, _owner(user, group)),
    "lchown": lambda path, user, group, *_: _Change(
        _AT_FDCWD, path, _owner(user, group), _AT_SYMLINK_NOFOLLOW
    ),
    "fchownat": lambda folder, path, user, group, flags, *_: _Change(
        _signed(folder), path, _owner(user, group), flags
    ),
    "utime": lambda path, times, *_: _Change(_AT_FDCWD, path, _times(times, 0)),
    "utimes": lambda path, times, *_: _Change(_AT_FDCWD, path, _times(times, 1000)),
    "futimesat": lambda folder, path, times, *_: _of_times(folder, path, _times(times, 1000)),
    "utimensat": lambda folder, path, times, flags, *_: _of_times(folder, path, _times(times, 1), flags),
}
_NAMES = {number: name for name, number in syscalls.numbers().items() if name in seccomp.METADATA}
