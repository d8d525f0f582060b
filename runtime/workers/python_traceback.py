"""Turns an exception of a Python script into a ScriptError, with the user's lines, columns and frames only."""

import errno
import linecache
import re
import socket
import traceback
from types import TracebackType
from typing import Any

from runtime.workers.protocol import ScriptError

SCRIPT_FILE = "script.py"
#: System calls by the name of Python's function.
_CALLS = {
    name: name
    for name in (
        *("socket", "connect", "bind", "listen", "accept", "sendto", "sendmsg", "socketpair", "getaddrinfo"),
        *(
            "fork",
            "forkpty",
            "execv",
            "execve",
            "kill",
            "killpg",
            "open",
            "mkdir",
            "rmdir",
            "unlink",
            "rename",
        ),
        *("chmod", "chown", "symlink", "link", "mknod", "mkfifo", "mount", "chroot", "utime", "setxattr"),
        *("setuid", "setgid", "setpriority", "nice", "sched_setaffinity", "memfd_create", "ptrace"),
    )
} | {
    "_fork_exec": "fork",
    "fork_exec": "fork",
    "posix_spawn": "fork",
    "posix_spawnp": "fork",
    "forkpty": "fork",
}


def syntax_error(error: BaseException, source: str) -> ScriptError:
    """Return the ScriptError of a source that does not compile."""
    if "\0" in source:  # Python does not say where it is
        before = source[: source.index("\0")].replace("\r\n", "\n").replace("\r", "\n")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        return _unreadable("the script contains a null character", "SyntaxError", line, column)
    if not isinstance(error, SyntaxError):
        return _unreadable(f"the script is too complex to be read: {error}", type(error).__name__, None, None)
    return _unreadable(error.msg, type(error).__name__, error.lineno, error.offset)


def script_error(error: BaseException) -> ScriptError:
    """Return the ScriptError of an exception that the script raised."""
    own = _from_the_script(error.__traceback__)
    line, column = _place(own)
    return ScriptError(
        _message(error),
        kind=_kind(error),
        type=type(error).__name__,
        line=line,
        column=column,
        stack_trace=_stack_trace(error, own),
        system=_refusal(error),
    )


def _kind(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "memory_limit"
    # The seccomp filter answers a fork with EAGAIN.
    if isinstance(error, BlockingIOError) and error.errno == errno.EAGAIN:
        return "process_limit"
    # Python does not keep the error number when a thread is refused.
    if isinstance(error, RuntimeError) and error.args == ("can't start new thread",):
        return "process_limit"
    return "exception"


def _unreadable(message: str, kind_of_error: str, line: int | None, column: int | None) -> ScriptError:
    diagnostic = {"message": message, "line": line, "column": column}
    return ScriptError(message, type=kind_of_error, line=line, column=column, diagnostics=[diagnostic])


def _message(error: BaseException) -> str:
    """Return the exception's text. Its `__str__` may raise too."""
    try:
        text = str(error)
    except BaseException as failure:  # noqa: BLE001 - it is the script's code
        return f"{type(error).__name__} whose text cannot be made: {type(failure).__name__}"
    if isinstance(error, SystemExit):
        return _end(error)
    return text or type(error).__name__


def _end(leaving: SystemExit) -> str:
    """Return what a script said that ended itself. A text means status 1, as Python has it."""
    if leaving.code is None or isinstance(leaving.code, int):
        return f"the script ended itself with status {int(leaving.code or 0)}"
    return f"the script ended itself with status 1: {leaving.code}"


def _refusal(error: BaseException) -> dict[str, str] | None:
    """Return what the system refused, if an error of the system is this exception or the first that led to it."""
    found, seen = error if isinstance(error, OSError) else None, {id(error)}
    inner = error.__cause__ or error.__context__
    while not isinstance(error, OSError) and inner is not None and id(inner) not in seen:
        seen.add(id(inner))
        found = inner if isinstance(inner, OSError) else found
        inner = inner.__cause__ or inner.__context__
    if found is None:
        return None
    refusal = {"code": _code(found), "syscall": _call(found), "path": found.filename}
    return (
        {name: value for name, value in refusal.items() if isinstance(value, str)}
        if refusal["code"]
        else None
    )


def _code(error: OSError) -> str | None:
    if isinstance(error, socket.gaierror):
        return next(
            (
                name
                for name in dir(socket)
                if name.startswith("EAI_") and getattr(socket, name) == error.errno
            ),
            None,
        )
    return errno.errorcode.get(error.errno or 0)


def _call(error: OSError) -> str | None:
    """Return the system call that an error came from, by the expression that was evaluated."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return None
    code = trace.tb_frame.f_code
    line, last_line, start, end = list(code.co_positions())[trace.tb_lasti // 2]
    if line is None or line != last_line:
        return None
    text = linecache.getline(code.co_filename, line).encode()[start:end].decode(errors="replace")
    called = re.match(r"[\w.]*?(\w+)(?:\.__init__)?\(", text)
    return _CALLS.get(called[1]) if called else None


def _from_the_script(trace: TracebackType | None) -> TracebackType | None:
    """Return the traceback from the script's outermost frame on, without our frames above it."""
    while trace is not None and trace.tb_frame.f_code.co_filename != SCRIPT_FILE:
        trace = trace.tb_next
    return trace


def _place(trace: TracebackType | None) -> tuple[int | None, int | None]:
    """Return line and column of the script's innermost frame, both from 1; the column in characters."""
    innermost: TracebackType | None = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == SCRIPT_FILE:
            innermost = trace
        trace = trace.tb_next
    if innermost is None:
        return None, None
    positions: list[Any] = list(innermost.tb_frame.f_code.co_positions())
    offset = positions[innermost.tb_lasti // 2][2]
    line = innermost.tb_lineno
    if offset is None:
        return line, None
    prefix = linecache.getline(SCRIPT_FILE, line).encode()[:offset]
    return line, len(prefix.decode(errors="replace")) + 1


def _stack_trace(error: BaseException, trace: TracebackType | None) -> str | None:
    if trace is None:
        return None
    try:
        return "".join(traceback.TracebackException(type(error), error, trace).format())
    except BaseException:  # noqa: BLE001 - formatting may run the script's code
        return "".join(traceback.format_tb(trace))
