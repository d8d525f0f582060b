"""The errors of a runtime. Each class has a code and an HTTP status of the contract."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self


class RunUsage(NamedTuple):
    """What a run has used.

    Attributes:
        execution_time: Elapsed time in milliseconds.
        cpu_time: CPU time in milliseconds.
        memory_usage_bytes: Peak memory of the process so far.
        bytes_in: Bytes sent to the process.
        bytes_out: Bytes of its answer and of everything it printed.
        fuel: WebAssembly instructions, about; None for other languages.
        cold: Whether the run had to load the script.
    """

    execution_time: float
    cpu_time: float
    memory_usage_bytes: int
    bytes_in: int
    bytes_out: int
    fuel: int | None
    cold: bool


class ServiceError(Exception):
    """An error that is sent to the caller.

    `details` are sent unchanged, so they must not contain internals such as paths.
    """

    code = "INTERNAL_ERROR"
    status = 500
    #: Seconds after which the caller may try again, or None.
    retry_after: int | None = None
    #: Usage of the run that failed, if there was one.
    usage: RunUsage | None = None

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class InvalidRequest(ServiceError):
    """The request is malformed."""

    code, status = "INVALID_REQUEST", 400


class BodyTooLarge(InvalidRequest):
    """The body exceeds the limit."""

    status = 413


class UnsupportedBody(InvalidRequest):
    """The body has another content type than JSON."""

    status = 415


class WrongMethod(InvalidRequest):
    """The path exists, but does not take this method."""

    status = 405


class Unauthorized(ServiceError):
    """The shared secret is missing or wrong."""

    code, status = "UNAUTHORIZED", 401

    def __init__(self, header: str) -> None:
        super().__init__(f"{header} is missing or wrong")
        self.header = header


class NotFound(ServiceError):
    """There is no such path."""

    code, status = "NOT_FOUND", 404


class ScriptNeeded(ServiceError):
    """The runtime does not hold the script: the caller repeats the call with its content or artifact."""

    code, status = "SCRIPT_NEEDED", 409


class EnvironmentNeeded(ServiceError):
    """The runtime lacks parts of an environment: the caller sends those and repeats the call. Details: missing."""

    code, status = "ENVIRONMENT_NEEDED", 409

    @classmethod
    def without(cls, missing: Sequence[int]) -> Self:
        """Return the error of an environment that lacks the parts of these numbers."""
        return cls("this runtime lacks parts of the environment", missing=missing)


class RateLimited(ServiceError):
    """No worker was free in time."""

    code, status, retry_after = "RATE_LIMITED", 429, 1


class InitializationFailed(ServiceError):
    """The script does not parse or compile. Details: stage, line, column, diagnostics, and a hint."""

    code, status = "INITIALIZATION_ERROR", 400


class ScriptFailed(ServiceError):
    """The script raised, or broke a limit.

    Details: kind, type, line, column, stack_trace, stdout, stderr, and a hint if the confinement refused something.
    """

    code, status = "RUNTIME_ERROR", 500


class ScriptTimeout(ServiceError):
    """The deadline passed. Details: timeout_ms, stdout, stderr."""

    code, status = "TIMEOUT", 504


class RuntimeUnavailable(ServiceError):
    """No process can be started, or the runtime is shutting down."""

    code, status, retry_after = "RUNTIME_UNAVAILABLE", 503, 1


class WorkerLost(RuntimeUnavailable):
    """A worker ended before it read its request: another worker can serve the request."""
