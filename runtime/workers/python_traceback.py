"""Turns an exception of a Python script into a ScriptError, with the user's lines, columns and frames only."""

import errno
import linecache
import traceback
from types import TracebackType
from typing import Any

from runtime.workers.protocol import ScriptError

SCRIPT_FILE = "script.py"


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
        return f"the script ended itself with status {text or 0}"
    return text or type(error).__name__


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
