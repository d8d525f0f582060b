"""The tree of errors, each with the contract's code and its HTTP status.

The code below raises these errors. `controller.web.flask_app` turns them into responses, and
`controller.web.execute` uses the same function for its plain WSGI.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from msgspec import UNSET, Struct, UnsetType


class ErrorBody(Struct, frozen=True, forbid_unknown_fields=True):
    """An error's code, message and details."""

    code: str
    message: str
    details: dict[str, Any]


class ErrorAnswer(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An error. `request_id` is present if the session is known."""

    request_id: str | UnsetType = UNSET
    error: ErrorBody


class ServiceError(Exception):
    """A failure that is reported to the client.

    Args:
        message: one sentence for the client, without internals of the service.
        details: the fields of `error.details` in the response.
        request_id: the session, if it is known.
    """

    code: ClassVar[str] = "INTERNAL_ERROR"
    status: int = 500
    #: Seconds, sent as `Retry-After`.
    retry_after: int | None = None
    #: Resources that the failed run used, as in `controller.models.outcome.Run`.
    usage: Mapping[str, Any] | None = None

    def __init__(
        self, message: str, *, details: Mapping[str, Any] | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details or {})
        self.request_id = request_id

    def headers(self) -> dict[str, str]:
        """Return the headers of this failure's response."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}

    def log_fields(self) -> dict[str, str]:
        """Return the log fields: the code and, if a script failed, its error type."""
        kind = self.details.get("kind")
        return {"error.code": self.code} | ({"error.type": kind} if isinstance(kind, str) else {})

    def document(self) -> ErrorAnswer:
        """Return the error as the contract defines it."""
        error = ErrorBody(self.code, self.message, self.details)
        return ErrorAnswer(request_id=self.request_id or UNSET, error=error)


class InvalidRequest(ServiceError):
    """Malformed JSON, header or field. Its other statuses are 405, 413 and 415."""

    code = "INVALID_REQUEST"
    status = 400

    def __init__(self, message: str, *, status: int = 400, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message, details=details)
        self.status = status


class InvalidParams(ServiceError):
    """`params` is not an object, or breaks the function's schema."""

    code = "INVALID_PARAMS"
    status = 400


class Unauthorized(ServiceError):
    """The token is invalid. The message is fixed text without quotes: it also becomes part of a header."""

    code = "UNAUTHORIZED"
    status = 401

    def headers(self) -> dict[str, str]:
        """Return the headers of a 401 response, as RFC 6750 defines them."""
        return {"WWW-Authenticate": f'Bearer error="invalid_token", error_description="{self.message}"'}


class TokenMissing(Unauthorized):
    """The request has no bearer token."""

    def headers(self) -> dict[str, str]:
        """Return the headers of a 401 response. RFC 6750 has no error code for this one."""
        return {"WWW-Authenticate": "Bearer"}


class Forbidden(ServiceError):
    """The token lacks a scope."""

    code = "FORBIDDEN"
    status = 403


class NotFound(ServiceError):
    """There is no such path, session, function or runtime, or it belongs to another user."""

    code = "NOT_FOUND"
    status = 404


class SessionEnded(NotFound):
    """The session has ended, and another process has told so."""


class RateLimited(ServiceError):
    """The caller is over a limit, or the runtime is at its concurrency limit."""

    code = "RATE_LIMITED"
    status = 429
    retry_after = 1


class IdempotencyConflict(ServiceError):
    """The `Idempotency-Key` was used with another body."""

    code = "IDEMPOTENCY_CONFLICT"
    status = 409


class PreconditionFailed(ServiceError):
    """`If-Match` does not name the newest version."""

    code = "PRECONDITION_FAILED"
    status = 412


class Conflict(ServiceError):
    """The state of a function does not allow the change."""

    code = "CONFLICT"
    status = 409


class InitializationFailed(ServiceError):
    """The script does not parse or compile."""

    code = "INITIALIZATION_ERROR"
    status = 400


class ScriptFailed(ServiceError):
    """The script raised an error, or broke a limit."""

    code = "RUNTIME_ERROR"
    status = 500


class DeadlinePassed(ServiceError):
    """The script did not finish in time and was killed."""

    code = "TIMEOUT"
    status = 504


class RuntimeUnavailable(ServiceError):
    """The language's runtime cannot be reached."""

    code = "RUNTIME_UNAVAILABLE"
    status = 503
    retry_after = 1


class StoreUnavailable(ServiceError):
    """A needed store cannot be reached."""

    code = "STORE_UNAVAILABLE"
    status = 503
    retry_after = 1


class ClientGone(ServiceError):
    """The client hung up before the response. For the log only; 499 is the customary status."""

    code = "CLIENT_GONE"
    status = 499


class CacheUnavailable(Exception):
    """Redis cannot be reached. Clients never see this error: the caller goes on without the cache."""


class StoreRejected(Exception):
    """PostgreSQL refused a statement. This is a defect of the service and is only logged."""
