"""The one tree of errors a runtime answers with: each class is a code and an HTTP status of the contract."""

from typing import Any, NamedTuple


class RunUsage(NamedTuple):
    """What a run has used, by the kernel's account and ours. Times are milliseconds.

    `memory_usage_bytes` is its process's peak so far. `bytes_in` is what the script was handed, `bytes_out` its
    answer and all that it printed. `fuel` counts the instructions of WebAssembly. `cold` is a run that loaded.
    """

    execution_time: float
    cpu_time: float
    memory_usage_bytes: int
    bytes_in: int
    bytes_out: int
    fuel: int | None
    cold: bool


class ServiceError(Exception):
    """What a caller is told. `details` go into the answer as they are, so they hold nothing of ours."""

    code = "INTERNAL_ERROR"
    status = 500
    #: Seconds after which trying again makes sense, or None.
    retry_after: int | None = None
    #: Of a run that failed.
    usage: RunUsage | None = None

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class InvalidRequest(ServiceError):
    code, status = "INVALID_REQUEST", 400


class BodyTooLarge(InvalidRequest):
    status = 413


class UnsupportedBody(InvalidRequest):
    status = 415


class WrongMethod(InvalidRequest):
    status = 405


class Unauthorized(ServiceError):
    code, status = "UNAUTHORIZED", 401


class NotFound(ServiceError):
    code, status = "NOT_FOUND", 404


class ScriptNeeded(ServiceError):
    """The script of this hash is not here: the caller repeats with its content or artifact."""

    code, status = "SCRIPT_NEEDED", 409


class RateLimited(ServiceError):
    """No worker came free in time."""

    code, status, retry_after = "RATE_LIMITED", 429, 1


class InitializationFailed(ServiceError):
    """The script does not parse or compile. Details: stage, line, column, diagnostics."""

    code, status = "INITIALIZATION_ERROR", 400


class ScriptFailed(ServiceError):
    """The script raised, or broke a limit. Details: kind, type, line, column, stack_trace, stdout, stderr."""

    code, status = "RUNTIME_ERROR", 500


class ScriptTimeout(ServiceError):
    """The deadline passed. Details: timeout_ms, stdout, stderr."""

    code, status = "TIMEOUT", 504


class RuntimeUnavailable(ServiceError):
    """No process can be started, or the runtime is about to end."""

    code, status, retry_after = "RUNTIME_UNAVAILABLE", 503, 1


class WorkerLost(RuntimeUnavailable):
    """A worker had died before its call, which nobody has read: another worker can take it."""
