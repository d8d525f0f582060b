"""Turns an exception of a Python script into a ScriptError, with the user's lines, columns and frames only."""

import ast
import errno
import linecache
import socket
import traceback
from types import TracebackType
from typing import Any

from runtime.workers.protocol import ScriptError

SCRIPT_FILE = "script.py"
#: System calls by the name of Python's function.
_CALLS = {
    **{
        name: name
        for name in (
            *(
                "socket",
                "socketpair",
                "getaddrinfo",
                "connect",
                "bind",
                "listen",
                "accept",
                "sendto",
                "sendmsg",
            ),
            *(
                "fork",
                "execv",
                "execve",
                "kill",
                "open",
                "listdir",
                "mkdir",
                "rmdir",
                "unlink",
                "rename",
                "link",
            ),
            *("symlink", "chmod", "chown", "utime", "mknod", "mkfifo", "mount", "chroot", "setxattr", "nice"),
            *("setuid", "setgid", "setpriority", "sched_setaffinity", "memfd_create"),
        )
    },
    **dict.fromkeys(("_fork_exec", "fork_exec", "forkpty", "posix_spawn", "posix_spawnp"), "fork"),
}
_ADDRESS_ERRORS = {value: name for name, value in vars(socket).items() if name.startswith("EAI_")}


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
    """Return what the system refused, if this exception or the first that led to it has an error number."""
    inner: BaseException | None = error
    found, seen = None, set()
    while inner is not None and id(inner) not in seen:
        seen.add(id(inner))
        if isinstance(inner, OSError) and (code := _code(inner)):
            found = {"code": code, "syscall": _call(inner), "path": inner.filename}
            if inner is error:
                break
        inner = inner.__cause__ or inner.__context__
    return found and {name: value for name, value in found.items() if isinstance(value, str)}


def _code(error: OSError) -> str | None:
    if isinstance(error, socket.gaierror):
        return _ADDRESS_ERRORS.get(error.errno)
    return errno.errorcode.get(error.errno or 0)


def _call(error: OSError) -> str | None:
    """Return the system call that failed, by the call in the source that raised the error."""
    innermost = error.__traceback__
    while innermost is not None and innermost.tb_next is not None:
        innermost = innermost.tb_next
    if innermost is None:
        return None
    code = innermost.tb_frame.f_code
    line, last_line, start, end = list[Any](code.co_positions())[innermost.tb_lasti // 2]
    if line is None:
        return None
    lines = [linecache.getline(code.co_filename, number).encode() for number in range(line, last_line + 1)]
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][start:]
    try:
        called = ast.unparse(ast.parse(b"".join(lines), mode="eval").body.func)  # type: ignore[attr-defined]
    except (SyntaxError, ValueError, AttributeError, RecursionError, MemoryError):
        return None
    return _CALLS.get(called.removesuffix(".__init__").rpartition(".")[2])


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
