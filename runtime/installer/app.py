"""The HTTP side of the function `packages`. Only the controller calls it, with the shared secret."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, request
from gunicorn.arbiter import Arbiter
from prometheus_client import CollectorRegistry, Histogram

from configuration.errors import UnusableSetting
from runtime import logs
from runtime.errors import InvalidRequest, NotFound, RuntimeUnavailable, UnsupportedBody
from runtime.front.call import Call, headers_of
from runtime.front.run import json_object
from runtime.installer.builder import Builder
from runtime.installer.settings import Settings
from runtime.process.folder_locks import clear_abandoned
from runtime.process.process import Preload
from runtime.process.spawner import Spawner
from runtime.sandbox.confine import Confinement
from telemetry.metrics_server import MetricsServer

#: Largest body: a lock of thousands of packages has less.
_BODY_MAX_BYTES = 4 << 20
_OUTPUT_MAX_BYTES = 64 << 10
_BUCKETS = (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0)
HEADER = "X-Packages-Secret"


class Installer(Flask):
    """The WSGI application: an `HttpApp` of template/python3-gevent/http_app.py."""

    body_max_bytes = _BODY_MAX_BYTES

    def __init__(self, settings: Settings, builder: Builder, spawner: Spawner) -> None:
        super().__init__("installer", static_folder=None)
        self._secret = settings.secret.encode()
        self._builder = builder
        self._spawner = spawner
        self._draining = False
        registry = CollectorRegistry()
        self._seconds = timer(registry)
        self._metrics_server = MetricsServer(settings.metrics_port, registry)
        self.config["MAX_CONTENT_LENGTH"] = _BODY_MAX_BYTES
        self.add_url_rule("/packages/<language>/<call>", view_func=self.work, methods=["POST"])
        self.add_url_rule("/health", view_func=self.health, methods=["GET"])
        self.before_request(self._begin)
        self.after_request(self._finish)
        self.register_error_handler(Exception, self._answer_error)

    def work(self, language: str, call: str) -> Response | dict[str, Any]:
        """Resolve a declaration, or build an environment."""
        self._call.check_secret(self._secret, HEADER)
        calls: dict[str, Callable[[str, dict[str, Any]], Response | dict[str, Any]]] = {
            "resolve": self._resolve,
            "build": self._build,
        }
        if call not in calls or language not in self._builder.packages:
            served = " and ".join(f"/packages/{name}/{{resolve,build}}" for name in self._builder.packages)
            raise NotFound(f"this function serves {served}")
        if not request.is_json:
            raise UnsupportedBody("Content-Type must be application/json")
        if self._draining:
            raise RuntimeUnavailable("this function is ending")
        self._call.end_with_client()
        g.timed = (language, call, time.monotonic())
        return calls[call](language, json_object(request.get_data(cache=False)))

    def health(self) -> dict[str, Any]:
        """Return what can be installed. Requires no secret."""
        self._spawner.ready()
        return {"status": "ok", "languages": sorted(self._builder.packages)}

    def serve_metrics(self) -> None:
        """Start the metrics server.

        Raises:
            UnusableSetting: METRICS_PORT is in use.
        """
        try:
            self._metrics_server.start()
        except OSError as error:
            raise UnusableSetting(f"METRICS_PORT: {error.strerror}") from error

    def drain(self) -> None:
        """Refuse new work; what runs continues. The server calls it on SIGTERM."""
        self._draining = True

    def close(self) -> None:
        """End all jobs. The server's worker-exit hook calls it."""
        self.drain()
        self._metrics_server.close()
        self._spawner.close()

    def _resolve(self, language: str, body: dict[str, Any]) -> dict[str, Any]:
        packages = _field(body, "packages", _is_texts)
        lock = _field(body, "lock", _is_text)
        if packages is None and lock is None:
            raise InvalidRequest("packages or lock must be given")
        if lock is not None:
            packages = packages or None  # nothing is declared beside it: what the lock says
        return self._builder.resolve(language, packages, _field(body, "requires_python", _is_text), lock)

    def _build(self, language: str, body: dict[str, Any]) -> Response:
        lock = _field(body, "lock", _is_text)
        if lock is None:
            raise InvalidRequest("lock must be given")
        frames = self._builder.build(language, lock)
        return Response(frames, mimetype="application/octet-stream")

    @property
    def _call(self) -> Call:
        call: Call = g.call
        return call

    def _begin(self) -> None:
        g.call = Call(request.environ)

    def _finish(self, response: Response) -> Response:
        if self._call.id:
            response.headers["X-Request-ID"] = self._call.id
        self._call.log(response.status_code)
        if "timed" in g:
            language, call, begun = g.timed
            self._seconds.labels(language, call, self._call.outcome).observe(time.monotonic() - begun)
        return response

    def _answer_error(self, error: Exception) -> Response:
        known, document = self._call.failure(error)
        response: Response = self.json.response(document)  # type: ignore[assignment]
        response.status_code = known.status
        response.headers.extend(headers_of(known))
        return response


def timer(registry: CollectorRegistry) -> Histogram:
    """Return the metric of the function."""
    return Histogram(
        "lambda_packages_seconds",
        "Time of a call, by how it ended: ok, or the code of its error in lower case",
        ["language", "call", "code"],
        buckets=_BUCKETS,
        registry=registry,
    )


def application() -> Installer:
    """Compose the function. A missing or invalid setting ends the program with one line on stderr."""
    try:
        settings = Settings.from_environment()
        logs.configure(settings.log_level, "packages")
        _clear_abandoned_folders(settings.state)
        spawner = Spawner(Preload(), settings.state, _OUTPUT_MAX_BYTES)
        installer = Installer(settings, Builder(settings, spawner), spawner)
        _check_isolation(settings, spawner)
        installer.serve_metrics()
        return installer
    except UnusableSetting as error:
        print(f"packages: {error}", file=sys.stderr)
        # gunicorn restarts a worker again and again unless it ends with this status.
        raise SystemExit(Arbiter.WORKER_BOOT_ERROR) from None


def _clear_abandoned_folders(state: Path) -> None:
    """Remove the folders of jobs that were killed together with their fork server. Raises UnusableSetting."""
    try:
        clear_abandoned(state)
    except OSError as error:
        raise UnusableSetting(f"STATE_DIR: {error}") from error


def _check_isolation(settings: Settings, spawner: Spawner) -> None:
    """Raise UnusableSetting if a layer that the deployment requires is missing."""
    layers = spawner.probe(Confinement(network=True, off=settings.isolation_off))
    missing = [name for name in settings.isolation_required if not layers.get(name)]
    if missing:
        raise UnusableSetting(f"ISOLATION_REQUIRED: not to be had here: {', '.join(missing)}")


def _field(body: dict[str, Any], name: str, is_valid: Callable[[object], bool]) -> Any:
    value = body.get(name)
    if value is not None and not is_valid(value):
        raise InvalidRequest(f"{name} is malformed")
    return value


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)
