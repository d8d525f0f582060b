"""Turns a failed script into an error of the contract: by its worker's report, which is untrusted, or by its end."""

import signal
from typing import Any

from runtime.errors import InitializationFailed, ScriptFailed, ScriptTimeout, ServiceError
from runtime.process.hints import Allowed, hint

#: Kinds of failure that a worker may report.
KINDS = frozenset({"exception", "memory_limit", "output_limit", "process_limit", "result_not_json"})
#: What V8 prints before it ends its process by one of these signals: in a script's code, or in a thread that starts.
_MEMORY_EXHAUSTED = "out of memory"
_ENDS_OF_V8 = (-signal.SIGABRT, -signal.SIGTRAP)
_MAX_TEXT = 64 * 1024
_MAX_DIAGNOSTICS = 100


def initialization_failure(answer: Any, stage: str, allowed: Allowed) -> InitializationFailed:
    """Return the error for a script that did not load.

    Args:
        answer: The worker's report.
        stage: `parse` or `compile`.
        allowed: What the deployment allows, for the hint.
    """
    answer = answer if isinstance(answer, dict) else {}
    place = {"line": _number(answer.get("line")), "column": _number(answer.get("column"))}
    message = _text(answer.get("message")) or "the script could not be loaded"
    diagnostics = [_diagnostic(entry) for entry in _entries(answer.get("diagnostics"))]
    return InitializationFailed(
        message,
        stage=stage,
        **place,
        diagnostics=diagnostics or [{"message": message, **place}],
        **_hint(answer, None, allowed),
    )


def script_failure(answer: Any, stdout: str, stderr: str, allowed: Allowed) -> ScriptFailed:
    """Return the error for a run that the worker itself reports as failed."""
    answer = answer if isinstance(answer, dict) else {}
    kind = answer.get("kind")
    kind = kind if isinstance(kind, str) and kind in KINDS else "exception"
    return ScriptFailed(
        _text(answer.get("message")) or "the script failed",
        kind=kind,
        type=_text(answer.get("type")),
        line=_number(answer.get("line")),
        column=_number(answer.get("column")),
        stack_trace=_text(answer.get("stack_trace")),
        stdout=stdout,
        stderr=stderr,
        **_hint(answer, kind, allowed),
    )


def broken_run(kind: str, message: str, stdout: str, stderr: str, allowed: Allowed) -> ScriptFailed:
    """Return the error for a run whose failure was found by the front, because the worker could not report it."""
    nothing = dict.fromkeys(("type", "line", "column", "stack_trace"))
    told = _hint({"message": message}, kind, allowed)
    return ScriptFailed(message, kind=kind, **nothing, stdout=stdout, stderr=stderr, **told)


def ended_run(
    status: int | None, timeout_ms: float, stdout: str, stderr: str, allowed: Allowed
) -> ServiceError:
    """Return the error for a run in which the process ended.

    Args:
        status: The exit status of the process, negative for a signal. None: it is not known.
        timeout_ms: The script's time.
        stdout: What it printed.
        stderr: The same.
        allowed: What the deployment allows, for the hint.
    """
    if status == -signal.SIGXCPU:
        message = "the script used up its CPU time"
        return ScriptTimeout(message, timeout_ms=timeout_ms, stdout=stdout, stderr=stderr)
    if status == -signal.SIGXFSZ:
        kind, message = "exception", "the script wrote a file that is too large"
    elif status in _ENDS_OF_V8 and _MEMORY_EXHAUSTED in stderr:
        kind, message = "memory_limit", "the script used more memory than it may"
    else:
        kind, message = "crashed", f"the script's process failed: {end_of_process(status)}"
    return broken_run(kind, message, stdout, stderr, allowed)


def end_of_process(status: int | None) -> str:
    """Return how a process ended, in words."""
    if status is None or status >= 0:
        return f"it ended with status {status}"
    return f"it was ended by {signal.Signals(-status).name}"


def _hint(report: dict[str, Any], kind: str | None, allowed: Allowed) -> dict[str, str]:
    """Return the member `hint` of an error's details; nothing where there is no hint."""
    text = hint({name: _text(value) or value for name, value in report.items()}, kind, allowed)
    return {} if text is None else {"hint": text}


def _entries(diagnostics: Any) -> list[dict[str, Any]]:
    if not isinstance(diagnostics, list):
        return []
    return [entry for entry in diagnostics[:_MAX_DIAGNOSTICS] if isinstance(entry, dict)]


def _diagnostic(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "message": _text(entry.get("message")) or "",
        "line": _number(entry.get("line")),
        "column": _number(entry.get("column")),
    }


def _text(value: Any) -> str | None:
    return value[:_MAX_TEXT] if isinstance(value, str) else None


def _number(value: Any) -> int | None:
    """Return a valid line or column number, else None. `type` is compared because a bool is an int too."""
    return value if type(value) is int and 0 < value < 1 << 31 else None
