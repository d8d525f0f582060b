"""What a worker may do with files, and where the kernel has it, with TCP and with processes outside: Landlock.

Whatever is not granted is refused, for the calling process and all that it starts. Standard library only: the fork
server loads it.
"""

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from contextlib import suppress

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_RULE_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_MAKE_CHAR, _MAKE_SOCK, _MAKE_BLOCK = 1 << 6, 1 << 9, 1 << 11
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
#: Accesses that make sense for what is no folder.
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
#: How many accesses each version of the interface knows: a ruleset that names others is refused.
_ACCESSES = {1: 13, 2: 14, 3: 15, 4: 15}
_NEWEST_ACCESSES = 16

TCP_SINCE, SCOPES_SINCE = 4, 6
_BIND_AND_CONNECT = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11

READ = _READ_FILE | _READ_DIR
RUN = READ | _EXECUTE
#: Everything in one's own folder but running what lies there, devices and sockets.
OWN = ~(_EXECUTE | _MAKE_CHAR | _MAKE_BLOCK | _MAKE_SOCK | _IOCTL_DEV)
WRITE = READ | _WRITE_FILE | _TRUNCATE

_libc = ctypes.CDLL(None, use_errno=True)


def version() -> int:
    """The kernel's version of the interface; 0 where it has none."""
    answer: int = _libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(_VERSION))
    return max(answer, 0)


def layers(abi: int) -> dict[str, bool]:
    """What a version of the interface confines."""
    return {
        "landlock_files": abi >= 1,
        "landlock_tcp": abi >= TCP_SINCE,
        "landlock_scopes": abi >= SCOPES_SINCE,
    }


def restrict(grants: Iterable[tuple[str, int]], *, network: bool) -> None:
    """Confine the calling process for good. Needs no_new_privs. Raises OSError.

    Args:
        grants: a path, and what may be done with it and all that lies below it. One that does not exist is left out.
        network: whether TCP may be used.
    """
    abi = version()
    handled = (1 << _ACCESSES.get(abi, _NEWEST_ACCESSES)) - 1
    tcp = 0 if network or abi < TCP_SINCE else _BIND_AND_CONNECT
    scopes = _ABSTRACT_SOCKETS_AND_SIGNALS if abi >= SCOPES_SINCE else 0
    attributes = struct.pack("<QQQ", handled, tcp, scopes)
    size = 8 if abi < TCP_SINCE else 16 if abi < SCOPES_SINCE else 24
    ruleset = _checked(_libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(size), ctypes.c_uint(0)))
    try:
        for path, access in grants:
            with suppress(FileNotFoundError):
                _grant(ruleset, path, access & handled)
        _checked(_libc.syscall(_RESTRICT_SELF, ruleset, ctypes.c_uint(0)))
    finally:
        os.close(ruleset)


def _grant(ruleset: int, path: str, access: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            access &= _OF_FILES
        rule = struct.pack("<Qi", access, place)
        _checked(_libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, ctypes.c_uint(0)))
    finally:
        os.close(place)


def _checked(answer: int) -> int:
    if answer < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"landlock: {os.strerror(error)}")
    return answer
