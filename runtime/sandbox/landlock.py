"""Landlock: restricts access to files and, if the kernel supports it, to TCP and to processes outside.

Everything that is not granted is refused, for the calling process and its child processes. Standard library only: the
fork server loads it.
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
_FIRST_WITH_REFER = 2
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
#: Access rights that apply to files. The others apply to folders only.
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
#: Number of access rights by version of the interface. The kernel refuses a ruleset with unknown rights.
_ACCESSES = {1: 13, 2: 14, 3: 15, 4: 15}
_NEWEST_ACCESSES = 16

TCP_SINCE, SCOPES_SINCE = 4, 6
_BIND_AND_CONNECT = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11

#: Reading files whose paths are known, and listing no folder.
READ_FILES = _READ_FILE
READ = _READ_FILE | _READ_DIR
RUN = READ | _EXECUTE
#: Everything except executing files and making devices or sockets: for the private folder.
OWN = ~(_EXECUTE | _MAKE_CHAR | _MAKE_BLOCK | _MAKE_SOCK | _IOCTL_DEV)
WRITE = READ | _WRITE_FILE | _TRUNCATE

_libc = ctypes.CDLL(None, use_errno=True)


def version() -> int:
    """Return the version of the kernel's interface; 0 if it has none."""
    answer: int = _libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(_VERSION))
    return max(answer, 0)


def layers(abi: int) -> dict[str, bool]:
    """Return which layers a version of the interface supports."""
    return {
        "landlock_files": abi >= 1,
        "landlock_tcp": abi >= TCP_SINCE,
        "landlock_scopes": abi >= SCOPES_SINCE,
    }


def restrict(grants: Iterable[tuple[str, int]], *, network: bool) -> None:
    """Restrict the calling process. This cannot be undone, and requires no_new_privs.

    Args:
        grants: Paths, each with the access rights to it and everything below it. Missing paths are ignored.
        network: Whether TCP is allowed.

    Raises:
        OSError: The kernel refused the restriction.
    """
    abi = version()
    handled = (1 << _ACCESSES.get(abi, _NEWEST_ACCESSES)) - 1
    tcp = 0 if network or abi < TCP_SINCE else _BIND_AND_CONNECT
    scopes = _ABSTRACT_SOCKETS_AND_SIGNALS if abi >= SCOPES_SINCE else 0
    attributes = struct.pack("<QQQ", handled, tcp, scopes)
    size = 8 if abi < TCP_SINCE else 16 if abi < SCOPES_SINCE else 24
    _restrict(attributes[:size], ((path, access & handled) for path, access in grants))


def narrow(paths: Iterable[str]) -> None:
    """Let the calling process read only what lies below `paths` of what it may read now. This cannot be undone.

    Raises:
        OSError: The kernel refused the restriction.
    """
    # Without the right to move files, a new layer forbids moving them to another folder.
    handled = READ | (_REFER if version() >= _FIRST_WITH_REFER else 0)
    _restrict(struct.pack("<Q", handled), ((path, handled) for path in paths))


def _restrict(attributes: bytes, grants: Iterable[tuple[str, int]]) -> None:
    size = ctypes.c_size_t(len(attributes))
    ruleset = _checked(_libc.syscall(_CREATE_RULESET, attributes, size, ctypes.c_uint(0)))
    try:
        for path, access in grants:
            with suppress(FileNotFoundError):
                _grant(ruleset, path, access)
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
