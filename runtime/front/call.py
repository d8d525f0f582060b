"""One call of a runtime: its secret, its error response, its log line. Flask's routes and `RunRoute` share it."""

import hmac
import logging
import re
import time
from collections.abc import Mapping
from typing import Any, Self, cast

import gevent
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from runtime import logs
from runtime.errors import (
    BodyTooLarge,
    InvalidRequest,
    NotFound,
    ServiceError,
    Unauthorized,
    WrongMethod,
)
from telemetry.tracing import NO_SPAN, Span

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
#: The known paths. The log does not contain others, because they are data from outside.
_PATH = re.compile(
    r"/(?:isolation|libraries|health|packages/[a-z]{1,63}/(?:resolve|build)"
    r"|runtime/[a-z][a-z0-9]{0,63}/environments/[0-9a-f]{64}/[0-9]{1,6}"
    r"|runtime/([a-z][a-z0-9]{0,63})/([A-Za-z0-9][A-Za-z0-9._-]{0,63})(?:/prepare)?)"
)


class Call:
    """One request, from its arrival to its log line.

    Args:
        environ: Its WSGI environ.
        span: Its span, which ends with `end` or with the `with` block.

    Attributes:
        id: Its `X-Request-ID`, if that is valid.
        session: The `request_id` in its body, once that is known.
        user: The tenant of its script, once that is known.
        error_code: The code of its error, if it failed.
    """

    def __init__(self, environ: Mapping[str, Any], span: Span = NO_SPAN) -> None:
        self._environ = environ
        self._span = span.__enter__()
        self._started = time.perf_counter()
        self.session: str | None = None
        self.user: str | None = None
        self.error_code: str | None = None
        self._kind: str | None = None
        given = environ.get("HTTP_X_REQUEST_ID", "")
        self.id: str | None = given if _REQUEST_ID.fullmatch(given) else None

    def of_session(self, request_id: str) -> None:
        """Record the session of a run."""
        self.session = request_id

    def end_with_client(self) -> None:
        """Kill the current greenlet when the client hangs up, if the server can detect that."""
        if watch := self._environ.get("client.hangup"):
            worker = cast("gevent.Greenlet[..., object]", gevent.getcurrent())
            watch(lambda: worker.kill(block=False))

    def check_secret(self, secret: bytes, header: str = "X-Runtime-Secret") -> None:
        """Raise Unauthorized if the request does not carry the shared secret in a header."""
        given = self._environ.get(f"HTTP_{header.upper().replace('-', '_')}", "")
        if not hmac.compare_digest(given.encode(), secret):
            raise Unauthorized(header)

    def failure(self, error: Exception) -> tuple[ServiceError, dict[str, Any]]:
        """Record a failure. Return the error to send and its document. An unexpected error is logged."""
        known = _as_service_error(error)
        self.error_code, self._kind = known.code, known.details.get("kind")
        if known.status >= 500:
            self._span.failed(known.code)
        if known.code == ServiceError.code:
            logs.LOG.error("internal error", exc_info=error)
        document: dict[str, Any] = {
            "error": {"code": known.code, "message": known.message, "details": known.details}
        }
        if self.session is not None:
            document = {"request_id": self.session, **document}
        if known.usage is not None:
            document["usage"] = known.usage._asdict()
        return known, document

    @property
    def outcome(self) -> str:
        """`ok`, or the error's code in lower case."""
        return "ok" if self.error_code is None else self.error_code.lower()

    def log(self, status: int) -> None:
        """Write the log line of the call. It is `debug` for a success, which the controller logs already."""
        level = logging.DEBUG if status < 400 else logging.INFO
        if not logs.LOG.isEnabledFor(level):
            return
        fields = {
            "event.dataset": "lambda.access",
            "event.duration": int((time.perf_counter() - self._started) * 1e9),
            "event.outcome": "success" if status < 400 else "failure",
            "http.response.status_code": status,
            "error.code": self.error_code,
            "error.type": self._kind,
            **self._log_fields(),
        }
        extra = {name: value for name, value in fields.items() if value is not None}
        logs.LOG.log(level, "request", extra=extra)

    def end(self, error: BaseException | None = None) -> None:
        """End its span."""
        self._span.__exit__(type(error) if error else None, error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self.end(error)

    def _log_fields(self) -> dict[str, str | None]:
        """Return the fields that identify the call. Values from the client are left out unless they are valid."""
        method, path = self._environ["REQUEST_METHOD"], _PATH.fullmatch(self._environ["PATH_INFO"])
        trace = _TRACEPARENT.fullmatch(self._span.traceparent or self._environ.get("HTTP_TRACEPARENT", ""))
        return {
            "http.request.method": method if method in _METHODS else None,
            "http.request.id": self.id,
            "url.path": path[0] if path else None,
            "faas.name": f"{path[1]}-{path[2]}" if path and path[1] else None,
            "user.id": self.user,
            "trace.id": trace[1] if trace else None,
            "span.id": trace[2] if trace and self._span.traceparent else None,
            "labels.session_id": self.session if _REQUEST_ID.fullmatch(self.session or "") else None,
        }


def headers_of(error: ServiceError) -> list[tuple[str, str]]:
    """Return the headers of an error response, in addition to those of every response."""
    if error.retry_after is not None:
        return [("Retry-After", str(error.retry_after))]
    return [("WWW-Authenticate", error.header)] if isinstance(error, Unauthorized) else []


def _as_service_error(error: Exception) -> ServiceError:
    match error:
        case ServiceError():
            return error
        case RequestEntityTooLarge():
            return BodyTooLarge("the body is too large")
        case HTTPException(code=405):
            return WrongMethod("this path does not take this method")
        case HTTPException(code=404):
            return NotFound("there is no such path")
        case HTTPException():
            return InvalidRequest(error.description or "the request is malformed")
    return ServiceError("the runtime failed to answer")
