"""What can go wrong with a call: an exception for each code of the service, and two for what others answer."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar


class LambdaError(Exception):
    """A call failed."""


class Unreachable(LambdaError):
    """No answer came: no connection, a broken one, or a late answer.

    Attributes:
        sent: whether the request may have reached the service.
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class UnexpectedAnswer(LambdaError):
    """Something answered, but not as this service does: a proxy, another program, another release.

    Attributes:
        status: the HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class ServiceError(LambdaError):
    """The service refused the call, or the script failed.

    Attributes:
        code: the service's code, such as `NOT_FOUND`.
        message: one sentence.
        details: what belongs to the code, as the service sent it.
        status: the HTTP status.
        request_id: the session, if it is known.
        http_request_id: names the request in the service's logs.
        retry_after: seconds to wait before another try; None: the service did not say.
    """

    code = ""
    #: The exceptions by their codes.
    by_code: ClassVar[dict[str, type["ServiceError"]]] = {}

    def __init_subclass__(cls) -> None:
        if cls.code:
            cls.by_code[cls.code] = cls

    def __init__(
        self, status: int, error: Mapping[str, Any], request_id: str | None, headers: Mapping[str, str]
    ) -> None:
        self.code = str(error["code"])
        self.message = str(error["message"])
        self.details: dict[str, Any] = dict(error["details"])
        self.status = status
        self.request_id = request_id
        self.http_request_id = headers.get("X-Request-ID")
        after = headers.get("Retry-After", "")
        self.retry_after = float(after) if after.isdecimal() else None
        super().__init__(f"{self.code}: {self.message}")


class InvalidRequest(ServiceError):
    """The request is malformed, or has a field that is not known."""

    code = "INVALID_REQUEST"


class InvalidParams(ServiceError):
    """The params break the function's schema; `details["errors"]` lists where."""

    code = "INVALID_PARAMS"


class Unauthorized(ServiceError):
    """No token, or one that is expired or not valid; the message says which."""

    code = "UNAUTHORIZED"


class Forbidden(ServiceError):
    """The token lacks a scope."""

    code = "FORBIDDEN"


class NotFound(ServiceError):
    """There is no such session, function, version, alias, key or path, or it is another user's."""

    code = "NOT_FOUND"


class IdempotencyConflict(ServiceError):
    """The key was used for another body."""

    code = "IDEMPOTENCY_CONFLICT"


class Conflict(ServiceError):
    """The state does not allow it: an alias names the version that is to be deleted."""

    code = "CONFLICT"


class PreconditionFailed(ServiceError):
    """Someone else has made a version since."""

    code = "PRECONDITION_FAILED"


class RateLimited(ServiceError):
    """Too many calls; `retry_after` says when to try again."""

    code = "RATE_LIMITED"


class RuntimeUnavailable(ServiceError):
    """The language's runtime is away, or packages are still being installed."""

    code = "RUNTIME_UNAVAILABLE"


class StoreUnavailable(ServiceError):
    """A store that the call needs is away."""

    code = "STORE_UNAVAILABLE"


class InternalError(ServiceError):
    """A fault of the service."""

    code = "INTERNAL_ERROR"


class ScriptError(ServiceError):
    """The script is at fault: it was refused, it failed, or it took too long."""

    @property
    def line(self) -> int | None:
        """The line in the script, from 1."""
        return self.details.get("line")

    @property
    def column(self) -> int | None:
        """The column in that line, from 1."""
        return self.details.get("column")

    @property
    def hint(self) -> str | None:
        """What the confinement did not allow, and what to use instead."""
        return self.details.get("hint")

    @property
    def stdout(self) -> str:
        """What the script printed."""
        return str(self.details.get("stdout") or "")

    @property
    def stderr(self) -> str:
        """What it printed as errors."""
        return str(self.details.get("stderr") or "")


class ScriptRefused(ScriptError):
    """The script does not parse or compile, its packages cannot be had, or an example differs."""

    code = "INITIALIZATION_ERROR"

    @property
    def stage(self) -> str | None:
        """Where it ended: `parse`, `compile`, `resolve`, `download`, `install`, `verify`."""
        return self.details.get("stage")


class ScriptFailed(ScriptError):
    """The script raised an exception or broke a limit."""

    code = "RUNTIME_ERROR"

    @property
    def kind(self) -> str:
        """What happened: `exception`, `memory_limit`, `result_not_json`; docs/scripts.md has all."""
        return str(self.details.get("kind"))

    @property
    def type(self) -> str | None:
        """The exception's type, as the language names it."""
        return self.details.get("type")

    @property
    def stack_trace(self) -> str:
        """The stack trace."""
        return str(self.details.get("stack_trace") or "")


class DeadlinePassed(ScriptError):
    """The script did not end in time; `details["timeout_ms"]` is the time it had."""

    code = "TIMEOUT"


def error_of(status: int, headers: Mapping[str, str], body: bytes) -> ServiceError | UnexpectedAnswer:
    """Return the exception for an answer that is not a success.

    Args:
        status: the HTTP status.
        headers: the headers; names are looked up without regard to case.
        body: the body as it came.
    """
    try:
        document = json.loads(body)
        error = document["error"]
        kind = ServiceError.by_code.get(error["code"], ServiceError)
        return kind(status, error, document.get("request_id"), headers)
    except (ValueError, TypeError, KeyError):
        start = body[:80].decode(errors="replace").split("\n")[0]
        return UnexpectedAnswer(f"this is not the service: status {status}, {start!r}", status)
