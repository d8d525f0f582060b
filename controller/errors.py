"""One tree of errors: what went wrong, the contract's code for it and its HTTP status.

Whatever goes wrong below is raised as one of these, and turned into a response by `controller.web.flask_app`, for the
plain WSGI of `controller.web.execute` too.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from msgspec import UNSET, Struct, UnsetType


class ErrorBody(Struct, frozen=True, forbid_unknown_fields=True):
    """What went wrong."""

    code: str
    message: str
    details: dict[str, Any]


class ErrorAnswer(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The one shape of an error; `request_id` is there whenever a session is known."""

    request_id: str | UnsetType = UNSET
    error: ErrorBody


class ServiceError(Exception):
    """A failure that the client is told of.

    Args:
        message: one sentence for the client; never an internal of ours.
        details: further fields of the answer's `error.details`.
        request_id: the session it concerns, once that is known.
    """

    code: ClassVar[str] = "INTERNAL_ERROR"
    status: int = 500
    #: Seconds, sent as `Retry-After`.
    retry_after: int | None = None
    #: What a run that failed has used, as in `controller.models.registered.Run`.
    usage: Mapping[str, Any] | None = None

    def __init__(
        self, message: str, *, details: Mapping[str, Any] | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details or {})
        self.request_id = request_id

    def headers(self) -> dict[str, str]:
        """Headers that belong to this failure."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}

    def marks(self) -> dict[str, str]:
        """What the log says of it: its code, and of a script's failure the kind."""
        kind = self.details.get("kind")
        return {"error.code": self.code} | ({"error.type": kind} if isinstance(kind, str) else {})

    def document(self) -> ErrorAnswer:
        """The one shape of an error, see the contract."""
        error = ErrorBody(self.code, self.message, self.details)
        return ErrorAnswer(request_id=self.request_id or UNSET, error=error)


class InvalidRequest(ServiceError):
    """Malformed JSON, header or field; 413, 415 and 405 are its other statuses."""

    code = "INVALID_REQUEST"
    status = 400

    def __init__(self, message: str, *, status: int = 400, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message, details=details)
        self.status = status


class InvalidParams(ServiceError):
    """`params` is no object, or breaks the function's schema."""

    code = "INVALID_PARAMS"
    status = 400


class Unauthorized(ServiceError):
    """No token, or one that does not hold."""

    code = "UNAUTHORIZED"
    status = 401

    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": "Bearer"}


class Forbidden(ServiceError):
    """The token's scope is too small."""

    code = "FORBIDDEN"
    status = 403


class NotFound(ServiceError):
    """No such path, session, function or runtime, or it is another user's."""

    code = "NOT_FOUND"
    status = 404


class RateLimited(ServiceError):
    """Over a limit, or the runtime is at its concurrency limit."""

    code = "RATE_LIMITED"
    status = 429
    retry_after = 1


class IdempotencyConflict(ServiceError):
    """The same `Idempotency-Key` with another body."""

    code = "IDEMPOTENCY_CONFLICT"
    status = 409


class InitializationFailed(ServiceError):
    """The script does not parse or compile."""

    code = "INITIALIZATION_ERROR"
    status = 400


class ScriptFailed(ServiceError):
    """The script raised, or broke a limit."""

    code = "RUNTIME_ERROR"
    status = 500


class DeadlinePassed(ServiceError):
    """The script was not done in time, and was killed."""

    code = "TIMEOUT"
    status = 504


class RuntimeUnavailable(ServiceError):
    """The language's runtime cannot be reached."""

    code = "RUNTIME_UNAVAILABLE"
    status = 503
    retry_after = 1


class StoreUnavailable(ServiceError):
    """PostgreSQL is needed and away."""

    code = "STORE_UNAVAILABLE"
    status = 503
    retry_after = 1


class ClientGone(ServiceError):
    """The client hung up before it was answered: for the log alone, with the status that is usual for it."""

    code = "CLIENT_GONE"
    status = 499


class CacheUnavailable(Exception):
    """Redis is away. No client sees this: whoever asks the cache goes on without it."""


class StoreRejected(Exception):
    """PostgreSQL refused a statement: our mistake, told to nobody but our log."""
