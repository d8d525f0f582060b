"""SIGCHLD for ends alone: a process that starts and stops its children a thousand times a second has no use for more.

Python's `signal` cannot set the flag that says so, SA_NOCLDSTOP.
"""

import ctypes
import os
import signal
from typing import Any

_SA_NOCLDSTOP = 1


class _SigAction(ctypes.Structure):
    """glibc's and musl's `struct sigaction`, on x86-64 and arm64 alike."""

    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ulong * 16),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )


def ignore_stops() -> None:
    """Keep the handler that SIGCHLD has, and hear no more of children that were stopped or go on. Raises OSError."""
    action = _SigAction()
    _sigaction(None, ctypes.byref(action))
    action.flags |= _SA_NOCLDSTOP
    _sigaction(ctypes.byref(action), None)


def _sigaction(new: Any, old: Any) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.sigaction(signal.SIGCHLD, new, old) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
