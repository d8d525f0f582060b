"""The front of a runtime: HTTP and frames in, processes behind. One gunicorn gevent worker serves it.

The controller makes three calls: `prepare`, `run`, and `environment` for each part of one. All paths but `/health`
require the shared secret, because every client of the gateway can reach a runtime.
"""

import re
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any
from wsgiref.types import StartResponse

from flask import request
from gunicorn.arbiter import Arbiter

from configuration.errors import UnusableSetting
from runtime import logs
from runtime.environments.manifest import PART_MAX_BYTES
from runtime.errors import NotFound
from runtime.executor import Executor
from runtime.front.framed import FramesServer
from runtime.front.run import RunRoute
from runtime.front.service import Service
from runtime.languages import LANGUAGES
from runtime.metrics import RuntimeMetrics, package_version
from runtime.settings import Settings
from telemetry.factory import tracer
from telemetry.metric_values import use_unlocked_values
from telemetry.metrics_server import MetricsServer
from telemetry.tracing import NO_SPAN, UNTRACED, Span, Tracer, UnusableTracing

#: Most milliseconds for the export of pending spans at the end.
_SPANS_FLUSH_MS = 1000
_PART = "/runtime/<language>/environments/<digest>/<part>"
_DIGEST, _NUMBER = re.compile(r"[0-9a-f]{64}"), re.compile(r"0|[1-9][0-9]{0,5}")
#: The endpoint that is a call of the controller, by its name in metrics and spans.
_MEASURED = "environment"


class Front(Service):
    """The application of one language's runtime."""

    def __init__(
        self, language: str, executor: Executor, settings: Settings, tracer: Tracer = UNTRACED
    ) -> None:
        metrics_server = MetricsServer(settings.metrics_port, executor.metrics.registry)
        super().__init__("runtime", settings.body_max_bytes, metrics_server)
        self.language = language
        self._executor = executor
        self._secret = settings.secret.encode()
        self._tracer = tracer
        self._run = RunRoute(executor.languages, executor, self._secret, settings.body_max_bytes, tracer)
        self._frames = FramesServer(self._run, self._secret, settings.body_max_bytes, executor.metrics)
        self._place = settings.frames
        for path in ("/runtime/<language>/<title>", "/runtime/<language>/<title>/prepare"):
            self.add_url_rule(path, view_func=self.no_such_language, methods=["POST"])
        self.add_url_rule(_PART, view_func=self.environment, methods=["PUT"])
        self.add_url_rule("/isolation", view_func=self.isolation, methods=["GET"])
        self.add_url_rule("/libraries", view_func=self.libraries, methods=["GET"])
        self.add_url_rule("/health", view_func=self.health, methods=["GET"])

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request by `RunRoute` if it is one of its requests, else by Flask."""
        if self._run.takes(environ):
            return self._run(environ, start_response)
        return super().__call__(environ, start_response)

    def environment(self, language: str, digest: str, part: str) -> tuple[str, int]:
        """Take a part of an environment. It goes on if the client hangs up."""
        named = _DIGEST.fullmatch(digest) and _NUMBER.fullmatch(part)
        if language not in self._executor.languages or not named:
            self.no_such_language(language, digest)
        self.call.check_secret(self._secret)
        request.max_content_length = PART_MAX_BYTES
        self._executor.receive(digest, int(part), request.get_data(cache=False))
        return "", 204

    def serve_frames(self) -> None:
        """Listen for frames, if there is a place for them.

        Raises:
            UnusableSetting: RUNTIME_FRAMES names a place where this process cannot listen.
        """
        if self._place is not None:
            try:
                self._frames.start(self._place)
            except OSError as error:
                raise UnusableSetting(f"RUNTIME_FRAMES: {error.strerror}") from error

    def no_such_language(self, language: str, title: str) -> Any:
        """Refuse a path that `RunRoute` does not serve."""
        served = " and ".join(f"/runtime/{name}/<title>" for name in self._executor.languages)
        raise NotFound(f"this runtime serves {served}")

    def isolation(self) -> dict[str, Any]:
        """Return which layers of confinement hold a worker, as a probe process finds them now."""
        self.call.check_secret(self._secret)
        return {"language": self.language, "layers": self._executor.isolation()}

    def libraries(self) -> dict[str, Any]:
        """Return what scripts may import."""
        self.call.check_secret(self._secret)
        return {"language": self.language, **asdict(self._executor.libraries())}

    def health(self) -> dict[str, Any]:
        """Return the state of the workers. Requires no secret."""
        return {"status": "ok", "language": self.language, "workers": self._executor.workers()}

    def drain(self) -> None:
        """Refuse new work with RUNTIME_UNAVAILABLE; running requests continue. The server calls it on SIGTERM."""
        self._executor.drain()
        self._frames.drain()

    def busy(self) -> bool:
        """Return whether calls are under way that came as frames. The server waits for them, as for requests."""
        return self._frames.busy

    def close(self) -> None:
        """End running requests and all processes. The server's worker-exit hook calls it."""
        self._executor.close()
        self._frames.close()
        self._metrics_server.close()
        self._tracer.close()

    def span(self) -> Span:
        """Return a span for a part of an environment. `RunRoute` has those of the other calls."""
        if request.endpoint != _MEASURED:
            return NO_SPAN
        return self._tracer.request(_MEASURED, request.environ)

    def measure(self) -> None:
        """Count a part of an environment."""
        if request.endpoint == _MEASURED:
            self._executor.metrics.answered(_MEASURED, self.call.outcome)


def application(language: str) -> Front:
    """Compose the runtime of a language and start its processes.

    A missing or invalid setting ends the program with one line on stderr.

    Args:
        language: A key of LANGUAGES.
    """
    try:
        settings = Settings.from_environment()
        logs.configure(settings.log_level, language)
        use_unlocked_values()
        traces = tracer(logs.service_name(language), package_version(), _SPANS_FLUSH_MS)
        executor = Executor(LANGUAGES[language](settings), settings, RuntimeMetrics(language), traces)
        front = Front(language, executor, settings, traces)
        front.serve_metrics()
        front.serve_frames()
        return front
    except (UnusableSetting, UnusableTracing) as error:
        print(f"runtime: {error}", file=sys.stderr)
        # gunicorn restarts a worker again and again unless it ends with this status.
        raise SystemExit(Arbiter.WORKER_BOOT_ERROR) from None
