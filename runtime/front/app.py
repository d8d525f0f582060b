"""The front of a runtime: HTTP in, processes behind. One gunicorn gevent worker serves it.

The controller's two calls are `prepare` and `run`; everything but `/health` asks for the shared secret, because
through the gateway everybody can reach a runtime.
"""

import base64
import re
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any
from wsgiref.types import StartResponse

from flask import Flask, Response, g, request
from gunicorn.arbiter import Arbiter

from configuration.errors import UnusableSetting
from runtime import logs
from runtime.errors import NotFound, UnsupportedBody
from runtime.executor import Executor
from runtime.front.call import Call, headers_of
from runtime.front.run import RunRoute, json_object
from runtime.front.schemas import prepare_request
from runtime.languages import LANGUAGES
from runtime.metrics import RuntimeMetrics, package_version
from runtime.settings import Settings
from telemetry.factory import tracer
from telemetry.metrics_server import MetricsServer
from telemetry.tracing import NO_SPAN, UNTRACED, Tracer, UnusableTracing

#: Time in which spans that wait are exported at the end.
_SPANS_FLUSH_MS = 1000
_TITLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Front(Flask):
    """The WSGI application of one language's runtime: an `HttpApp` of template/python3-gevent/http_app.py."""

    def __init__(
        self, language: str, executor: Executor, settings: Settings, tracer: Tracer = UNTRACED
    ) -> None:
        super().__init__("runtime", static_folder=None)
        self._metrics_server = MetricsServer(settings.metrics_port, executor.metrics.registry)
        self.language = language
        self._executor = executor
        self._secret = settings.secret.encode()
        self._tracer = tracer
        self._run = RunRoute(language, executor, self._secret, settings.body_max_bytes, tracer)
        #: The server hands on requests with more without their body, for us to refuse.
        self.body_max_bytes = settings.body_max_bytes
        self.config["MAX_CONTENT_LENGTH"] = self.body_max_bytes
        self.add_url_rule("/runtime/<language>/<title>/prepare", view_func=self.prepare, methods=["POST"])
        self.add_url_rule("/runtime/<language>/<title>", view_func=self.no_such_language, methods=["POST"])
        self.add_url_rule("/isolation", view_func=self.isolation, methods=["GET"])
        self.add_url_rule("/libraries", view_func=self.libraries, methods=["GET"])
        self.add_url_rule("/health", view_func=self.health, methods=["GET"])
        self.before_request(self._begin)
        self.after_request(self._finish)
        self.teardown_request(self._end)
        self.register_error_handler(Exception, self._answer_error)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if self._run.takes(environ):
            return self._run(environ, start_response)
        return super().__call__(environ, start_response)

    def prepare(self, language: str, title: str) -> dict[str, Any]:
        """Parse or compile a script; run nothing of it."""
        if language != self.language or not _TITLE.fullmatch(title):
            self.no_such_language(language, title)
        self._call.check_secret(self._secret)
        if not request.is_json:
            raise UnsupportedBody("Content-Type must be application/json")
        reference = prepare_request(json_object(request.get_data(cache=False)))
        self._call.user = reference.tenant
        self._call.end_with_client()
        script, known = self._executor.prepare(reference)
        if script.artifact is None:
            return {"artifact_cached": known}
        return {"artifact_cached": known, "artifact": base64.b64encode(script.artifact).decode()}

    def no_such_language(self, language: str, title: str) -> Any:
        """What `RunRoute` did not take."""
        raise NotFound(f"this runtime serves /runtime/{self.language}/<title>")

    def isolation(self) -> dict[str, Any]:
        """Which layers confine a worker, as probed at this moment."""
        self._call.check_secret(self._secret)
        return {"language": self.language, "layers": self._executor.isolation()}

    def libraries(self) -> dict[str, Any]:
        """What scripts may import."""
        self._call.check_secret(self._secret)
        return {"language": self.language, **asdict(self._executor.libraries())}

    def health(self) -> dict[str, Any]:
        """Whether work can be done. Needs no secret."""
        return {"status": "ok", "language": self.language, "workers": self._executor.workers()}

    def serve_metrics(self) -> None:
        """Raises UnusableSetting when METRICS_PORT is taken."""
        try:
            self._metrics_server.start()
        except OSError as error:
            raise UnusableSetting(f"METRICS_PORT: {error.strerror}") from error

    def drain(self) -> None:
        """On SIGTERM: new work is answered RUNTIME_UNAVAILABLE, what runs goes on."""
        self._executor.drain()

    def close(self) -> None:
        """At the worker's end: end what still runs, and every process."""
        self._executor.close()
        self._metrics_server.close()
        self._tracer.close()

    @property
    def _call(self) -> Call:
        call: Call = g.call
        return call

    def _begin(self) -> None:
        name = "prepare" if request.endpoint == "prepare" else None
        g.call = Call(
            request.environ, NO_SPAN if name is None else self._tracer.request(name, request.environ)
        )

    def _finish(self, response: Response) -> Response:
        if self._call.id:
            response.headers["X-Request-ID"] = self._call.id
        self._call.log(response.status_code)
        if request.endpoint == "prepare":
            self._executor.metrics.answered("prepare", self._call.outcome)
        return response

    def _end(self, error: BaseException | None) -> None:
        if "call" in g:
            self._call.end(error)

    def _answer_error(self, error: Exception) -> Response:
        known, document = self._call.failure(error)
        response: Response = self.json.response(document)  # type: ignore[assignment]
        response.status_code = known.status
        response.headers.extend(headers_of(known))
        return response


def application(language: str) -> Front:
    """Compose the runtime of `language` (a key of LANGUAGES) and start its processes.

    Ends the program with one line when a setting is missing or bad.
    """
    try:
        settings = Settings.from_environment()
        logs.configure(settings.log_level, language)
        traces = tracer(logs.service_name(language), package_version(), _SPANS_FLUSH_MS)
        executor = Executor(LANGUAGES[language](settings), settings, RuntimeMetrics(language), traces)
        front = Front(language, executor, settings, traces)
        front.serve_metrics()
        return front
    except (UnusableSetting, UnusableTracing) as error:
        print(f"runtime: {error}", file=sys.stderr)
        # gunicorn starts a worker anew for ever, unless it ends with this status.
        raise SystemExit(Arbiter.WORKER_BOOT_ERROR) from None
