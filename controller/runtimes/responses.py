"""What runtimes answer: a run, a document, or an error, which is ours from here on."""

import json
import logging
from collections.abc import Mapping
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

#: A runtime's errors that are the client's to know; any other is between the runtime and us.
PASSED_ON: Mapping[str, type[ServiceError]] = {
    error.code: error for error in (InitializationFailed, ScriptFailed, DeadlinePassed, RateLimited)
}
Number = int | float | None


class ScriptNeeded(Exception):
    """The runtime does not have the script or artifact of this hash."""


class RunAnswer(Struct):
    """A run, as runtimes tell of it; there may be more in an answer, which is ignored."""

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
        """What was measured of it besides its time."""
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
    """The run that a runtime answered with, its result as text; an error is raised as ours."""
    if answer.status != 200:
        raise _error(path, answer, deadline_ms)
    try:
        if not answer.body.isascii():
            answer.body.decode()  # nobody else looks at the bytes of a result
        run = _RUNS.read(answer.body)
    except (ValueError, RecursionError) as unreadable:
        raise unusable(path, f"no run: {unreadable}") from unreadable
    return Run(run.result, run.execution_time, run.stdout, run.stderr, run.usage())


def read_document(path: str, answer: Answer, deadline_ms: int) -> dict[str, Any]:
    """A runtime's answer as it is, or its error raised as ours."""
    if answer.status != 200:
        raise _error(path, answer, deadline_ms)
    try:
        return dict(json.loads(answer.body))
    except (ValueError, TypeError, RecursionError) as unreadable:
        raise unusable(path, f"no document: {unreadable}") from unreadable


def declined(answer: Answer) -> bool:
    """Whether a runtime says that it does not run anything now: it is ending, or cannot start a process."""
    if answer.status != 503:
        return False
    try:
        return bool(json.loads(answer.body)["error"]["code"] == RuntimeUnavailable.code)
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def late(deadline_ms: int) -> DeadlinePassed:
    """The time of a call that a runtime has is over."""
    return DeadlinePassed("the runtime did not answer in time", details={"timeout_ms": deadline_ms})


def unusable(path: str, answer: str) -> RuntimeUnavailable:
    """A runtime answered, with something that is for the log only."""
    log.error("%s was answered %s", path, answer)
    return RuntimeUnavailable("the runtime gave no usable answer")


def _error(path: str, answer: Answer, deadline_ms: int) -> ServiceError | ScriptNeeded:
    try:
        document = json.loads(answer.body)
        error = document["error"]
        code, message, details = error["code"], error["message"], error["details"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return _of_status(path, answer.status, deadline_ms)
    if code == "SCRIPT_NEEDED":
        return ScriptNeeded()
    if code not in PASSED_ON:
        return unusable(path, f"{code}: {message}")
    known = PASSED_ON[code](message, details=details)
    usage = document.get("usage")
    known.usage = usage if isinstance(usage, dict) else None
    return known


def _of_status(path: str, status: int, deadline_ms: int) -> ServiceError:
    """What of-watchdog or a gateway says in the runtime's place, in words of its own or in none."""
    if status == 504:
        return late(deadline_ms)
    if status == 429:
        return RateLimited("the runtime is at its concurrency limit")
    return unusable(path, f"status {status}")
