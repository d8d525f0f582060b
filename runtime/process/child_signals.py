"""Restricts SIGCHLD to children that end.

The fork server's children are stopped and continued up to a thousand times a second, and each of these would send a
signal too. SA_NOCLDSTOP turns that off; Python's `signal` cannot set it.
"""

import ctypes
import os
import signal
from typing import Any

_SA_NOCLDSTOP = 1


class _SigAction(ctypes.Structure):
    """`struct sigaction` of glibc and musl, the same on x86-64 and arm64."""

    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ulong * 16),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )


def ignore_stops() -> None:
    """Keep the handler of SIGCHLD, but do not call it for children that are stopped or continued.

    Raises:
        OSError: the kernel refused the flag.
    """
    action = _SigAction()
    _sigaction(None, ctypes.byref(action))
    action.flags |= _SA_NOCLDSTOP
    _sigaction(ctypes.byref(action), None)


def _sigaction(new: Any, old: Any) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.sigaction(signal.SIGCHLD, new, old) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
