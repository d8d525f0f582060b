"""What both ways into a runtime have in common: who may call, how a failure is told, what is logged of a call."""

import hmac
import logging
import re
import time
from collections.abc import Mapping
from typing import Any, cast

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

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Call:
    """One request, from its arrival to its line in the log. `session` is its request_id in the body, once known."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._environ = environ
        self._started = time.perf_counter()
        self.session: str | None = None
        self.error_code: str | None = None
        given = environ.get("HTTP_X_REQUEST_ID", "")
        self.id: str | None = given if _REQUEST_ID.fullmatch(given) else None

    def end_with_client(self) -> None:
        """Let the greenlet that works on the request end when its client hangs up, where the server can tell."""
        if watch := self._environ.get("client.hangup"):
            worker = cast("gevent.Greenlet[..., object]", gevent.getcurrent())
            watch(lambda: worker.kill(block=False))

    def check_secret(self, secret: bytes) -> None:
        """Raises Unauthorized."""
        if not hmac.compare_digest(self._environ.get("HTTP_X_RUNTIME_SECRET", "").encode(), secret):
            raise Unauthorized("X-Runtime-Secret is missing or wrong")

    def failure(self, error: Exception) -> tuple[ServiceError, dict[str, Any]]:
        """How a failure is told: its status and headers, and the document. What is not the caller's is logged."""
        known = _as_service_error(error)
        self.error_code = known.code
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
        """ok, or the error's code in lower case."""
        return "ok" if self.error_code is None else self.error_code.lower()

    def log(self, status: int) -> None:
        """Write the call's line. One that went well is the controller's to tell, so it is `debug` here."""
        level = logging.DEBUG if status < 400 else logging.INFO
        if not logs.LOG.isEnabledFor(level):
            return
        fields = {
            "http.request.method": self._environ["REQUEST_METHOD"],
            "url.path": self._environ["PATH_INFO"],
            "http.response.status_code": status,
            "event.duration": int((time.perf_counter() - self._started) * 1e9),
            "http.request.id": self.id,
            "trace.parent": self._environ.get("HTTP_TRACEPARENT"),
            "error.code": self.error_code,
            "labels.session": self.session,
        }
        extra = {name: value for name, value in fields.items() if value is not None}
        logs.LOG.log(level, "request", extra=extra)


def headers_of(error: ServiceError) -> list[tuple[str, str]]:
    """What a failure has besides its status and document."""
    if error.retry_after is not None:
        return [("Retry-After", str(error.retry_after))]
    return [("WWW-Authenticate", "X-Runtime-Secret")] if isinstance(error, Unauthorized) else []


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
