"""Reads the answers of runtimes: a run, a document, or an error, which becomes a ServiceError."""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Raw, Struct

from controller.errors import (
    DeadlinePassed,
    InitializationFailed,
    RateLimited,
    RuntimeUnavailable,
    ScriptFailed,
    ServiceError,
)
from controller.json_codec import Reader
from controller.models.outcome import Run
from controller.runtimes.transport.messages import Answer

log = logging.getLogger(__name__)

#: Errors of a runtime that the client gets. Any other error is only logged.
PASSED_ON: Mapping[str, type[ServiceError]] = {
    error.code: error for error in (InitializationFailed, ScriptFailed, DeadlinePassed, RateLimited)
}
Number = int | float | None


class ScriptNeeded(Exception):
    """The runtime does not have the script or artifact of this hash."""


class EnvironmentNeeded(Exception):
    """The runtime lacks parts of the environment, those with the numbers `missing`."""

    def __init__(self, missing: Sequence[int]) -> None:
        super().__init__()
        self.missing = missing


class RunAnswer(Struct):
    """A runtime's answer to a run. Unknown fields are ignored."""

    result: Raw
    execution_time: float
    stdout: str
    stderr: str
    cpu_time: Number = None
    memory_usage_bytes: Number = None
    bytes_in: Number = None
    bytes_out: Number = None
    fuel: Number = None
    cold: bool | None = None

    def usage(self) -> dict[str, Any]:
        """Return the measured resources."""
        return {
            "cpu_time": self.cpu_time,
            "memory_usage_bytes": self.memory_usage_bytes,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "fuel": self.fuel,
            "cold": self.cold,
        }


_RUNS = Reader(RunAnswer, raw=["result"])


def read_run(path: str, answer: Answer, deadline_ms: int) -> Run:
    """Return the run of an answer, its result as JSON text. A runtime's error is raised as a ServiceError."""
    if answer.status != 200:
        raise _error(path, answer, deadline_ms)
    try:
        if not answer.body.isascii():
            answer.body.decode()  # the only check that the result is UTF-8
        run = _RUNS.read(answer.body)
    except (ValueError, RecursionError) as unreadable:
        raise unusable(path, f"no run: {unreadable}") from unreadable
    return Run(run.result, run.execution_time, run.stdout, run.stderr, run.usage())


def read_document(path: str, answer: Answer, deadline_ms: int) -> dict[str, Any]:
    """Return the document of an answer. A runtime's error is raised as a ServiceError."""
    if answer.status != 200:
        raise _error(path, answer, deadline_ms)
    try:
        return dict(json.loads(answer.body))
    except (ValueError, TypeError, RecursionError) as unreadable:
        raise unusable(path, f"no document: {unreadable}") from unreadable


def declined(answer: Answer) -> bool:
    """Return whether a runtime refuses to run: it is stopping, or cannot start a process."""
    if answer.status != 503:
        return False
    try:
        return bool(json.loads(answer.body)["error"]["code"] == RuntimeUnavailable.code)
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def late(deadline_ms: int) -> DeadlinePassed:
    """Return the error of a call that took too long."""
    return DeadlinePassed("the runtime did not answer in time", details={"timeout_ms": deadline_ms})


def unusable(path: str, answer: str) -> RuntimeUnavailable:
    """Log an answer that the client must not see, and return the error for the client."""
    log.error("%s was answered %s", path, answer)
    return RuntimeUnavailable("the runtime gave no usable answer")


def _error(path: str, answer: Answer, deadline_ms: int) -> Exception:
    try:
        document = json.loads(answer.body)
        error = document["error"]
        code, message, details = error["code"], error["message"], error["details"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return _of_status(path, answer.status, deadline_ms)
    if code == "SCRIPT_NEEDED":
        return ScriptNeeded()
    if code == "ENVIRONMENT_NEEDED":
        return _environment_needed(path, details)
    if code not in PASSED_ON:
        return unusable(path, f"{code}: {message}")
    known = PASSED_ON[code](message, details=details)
    usage = document.get("usage")
    known.usage = usage if isinstance(usage, dict) else None
    return known


def _environment_needed(path: str, details: object) -> Exception:
    missing = details.get("missing") if isinstance(details, dict) else None
    if (
        not isinstance(missing, list)
        or not missing
        or not all(type(part) is int and part >= 0 for part in missing)
    ):
        return unusable(path, "parts that are no numbers")
    return EnvironmentNeeded(missing)


def _of_status(path: str, status: int, deadline_ms: int) -> ServiceError:
    """Return the error for an answer from of-watchdog or a gateway, which has no JSON."""
    if status == 504:
        return late(deadline_ms)
    if status == 429:
        return RateLimited("the runtime is at its concurrency limit")
    return unusable(path, f"status {status}")
