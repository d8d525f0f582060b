"""The front of a runtime: HTTP in, processes behind. One gunicorn gevent worker serves it.

The controller's two calls are `prepare` and `run`; everything but `/health` asks for the shared secret, because
through the gateway everybody can reach a runtime.
"""

import base64
import hmac
import re
import sys
import time
from dataclasses import asdict
from typing import Any

from environs import EnvError
from flask import Flask, Request, Response, g, request
from gunicorn.arbiter import Arbiter
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from runtime import logs
from runtime.errors import (
    BodyTooLarge,
    InvalidRequest,
    NotFound,
    ServiceError,
    Unauthorized,
    UnsupportedBody,
    WrongMethod,
)
from runtime.executor import Executor
from runtime.frames import FrameError, decode
from runtime.languages import LANGUAGES
from runtime.schemas import prepare_request, run_request
from runtime.settings import Settings, UnusableSetting

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TITLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Front(Flask):
    """The WSGI application of one language's runtime."""

    def __init__(self, language: str, executor: Executor, settings: Settings) -> None:
        super().__init__("runtime", static_folder=None)
        self.language = language
        self._executor = executor
        self._secret = settings.secret.encode()
        self.config["MAX_CONTENT_LENGTH"] = settings.body_max_bytes
        self.json.sort_keys = False  # type: ignore[attr-defined]  # a result keeps the order its script gave it
        self.add_url_rule("/runtime/<language>/<title>/prepare", view_func=self.prepare, methods=["POST"])
        self.add_url_rule("/runtime/<language>/<title>", view_func=self.run_script, methods=["POST"])
        self.add_url_rule("/isolation", view_func=self.isolation, methods=["GET"])
        self.add_url_rule("/libraries", view_func=self.libraries, methods=["GET"])
        self.add_url_rule("/health", view_func=self.health, methods=["GET"])
        self.before_request(self._begin)
        self.after_request(self._finish)
        self.register_error_handler(Exception, self._answer_error)

    def prepare(self, language: str, title: str) -> dict[str, Any]:
        """Parse or compile a script; run nothing of it."""
        self._check_path(language, title)
        script, known = self._executor.prepare(prepare_request(_body(request)))
        if script.artifact is None:
            return {"artifact_cached": known}
        return {"artifact_cached": known, "artifact": base64.b64encode(script.artifact).decode()}

    def run_script(self, language: str, title: str) -> dict[str, Any]:
        """Execute a script once."""
        self._check_path(language, title)
        body = _body(request)
        g.session = body.get("request_id")
        reference, arguments = run_request(body)
        return asdict(self._executor.run(reference, **arguments))

    def isolation(self) -> dict[str, Any]:
        """Which layers confine a worker, as probed at this moment."""
        self._check_secret()
        return {"language": self.language, "layers": self._executor.isolation()}

    def libraries(self) -> dict[str, Any]:
        """What scripts may import."""
        self._check_secret()
        return {"language": self.language, **asdict(self._executor.libraries())}

    def health(self) -> dict[str, Any]:
        """Whether work can be done. Needs no secret."""
        return {"status": "ok", "language": self.language, "workers": self._executor.workers()}

    def close(self) -> None:
        """For the server's worker-exit hook: let what runs finish by its deadline, then end every process."""
        self._executor.close()

    def _check_path(self, language: str, title: str) -> None:
        if language != self.language or not _TITLE.fullmatch(title):
            raise NotFound(f"this runtime serves /runtime/{self.language}/<title>")
        self._check_secret()

    def _check_secret(self) -> None:
        if not hmac.compare_digest(request.headers.get("X-Runtime-Secret", "").encode(), self._secret):
            raise Unauthorized("X-Runtime-Secret is missing or wrong")

    def _begin(self) -> None:
        g.started = time.perf_counter()
        given = request.headers.get("X-Request-ID", "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else None

    def _finish(self, response: Response) -> Response:
        if g.request_id:
            response.headers["X-Request-ID"] = g.request_id
        fields = {
            "http.request.method": request.method,
            "url.path": request.path,
            "http.response.status_code": response.status_code,
            "event.duration": int((time.perf_counter() - g.started) * 1e9),
            "http.request.id": g.request_id,
            "trace.parent": request.headers.get("traceparent"),
            "error.code": g.get("error_code"),
            "labels.session": g.get("session") if isinstance(g.get("session"), str) else None,
        }
        logs.LOG.info("request", extra={name: value for name, value in fields.items() if value is not None})
        return response

    def _answer_error(self, error: Exception) -> Response:
        known = _as_service_error(error)
        g.error_code = known.code
        if known.code == ServiceError.code:
            logs.LOG.error("internal error", exc_info=error)
        answer: dict[str, Any] = {
            "error": {"code": known.code, "message": known.message, "details": known.details}
        }
        if isinstance(g.get("session"), str):
            answer = {"request_id": g.session, **answer}
        response: Response = self.json.response(answer)  # type: ignore[assignment]
        response.status_code = known.status
        if known.retry_after is not None:
            response.headers["Retry-After"] = str(known.retry_after)
        if isinstance(known, Unauthorized):
            response.headers["WWW-Authenticate"] = "X-Runtime-Secret"
        return response


def _body(incoming: Request) -> dict[str, Any]:
    if not incoming.is_json:
        raise UnsupportedBody("Content-Type must be application/json")
    try:
        return decode(incoming.get_data(cache=False))
    except FrameError as error:
        raise InvalidRequest(f"the body is no JSON object: {error}") from error


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


def application(language: str) -> Front:
    """Compose the runtime of `language` (a key of LANGUAGES) and start its processes.

    Ends the program with one line when a setting is missing or bad.
    """
    try:
        settings = Settings.from_environment()
        logs.configure(settings.log_level)
        return Front(language, Executor(LANGUAGES[language](settings), settings), settings)
    except (EnvError, UnusableSetting) as error:
        print(f"runtime: {error}", file=sys.stderr)
        # gunicorn starts a worker anew for ever, unless it ends with this status.
        raise SystemExit(Arbiter.WORKER_BOOT_ERROR) from None
