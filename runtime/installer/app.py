"""The HTTP side of the function `packages`. Only the controller calls it, with the shared secret."""

import sys
import time
from collections.abc import Callable
from typing import Any

from flask import Response, g, request
from gunicorn.arbiter import Arbiter
from prometheus_client import CollectorRegistry, Histogram

from configuration.errors import UnusableSetting
from runtime import logs
from runtime.errors import InvalidRequest, NotFound, RuntimeUnavailable, UnsupportedBody
from runtime.front.schemas import json_object
from runtime.front.service import Service
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


class Installer(Service):
    """The application of the function."""

    def __init__(self, settings: Settings, builder: Builder, spawner: Spawner) -> None:
        registry = CollectorRegistry()
        super().__init__("installer", _BODY_MAX_BYTES, MetricsServer(settings.metrics_port, registry))
        self._secret = settings.secret.encode()
        self._builder = builder
        self._spawner = spawner
        self._draining = False
        self._seconds = timer(registry)
        self.add_url_rule("/packages/<language>/<call>", view_func=self.work, methods=["POST"])
        self.add_url_rule("/health", view_func=self.health, methods=["GET"])

    def work(self, language: str, call: str) -> Response | dict[str, Any]:
        """Resolve a declaration, or build an environment."""
        self.call.check_secret(self._secret, HEADER)
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
        self.call.end_with_client()
        g.timed = (language, call, time.monotonic())
        return calls[call](language, json_object(request.get_data(cache=False)))

    def health(self) -> dict[str, Any]:
        """Return what can be installed. Requires no secret."""
        self._spawner.ready()
        return {"status": "ok", "languages": sorted(self._builder.packages)}

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

    def measure(self) -> None:
        """Record the time of a call that began to work."""
        if "timed" in g:
            language, call, begun = g.timed
            self._seconds.labels(language, call, self.call.outcome).observe(time.monotonic() - begun)


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
        clear_abandoned(settings.state)
        spawner = Spawner(Preload(), settings.state, _OUTPUT_MAX_BYTES)
        installer = Installer(settings, Builder(settings, spawner), spawner)
        confinement = Confinement(network=True, off=settings.isolation_off)
        spawner.require_layers(confinement, settings.isolation_required)
        installer.serve_metrics()
        return installer
    except UnusableSetting as error:
        print(f"packages: {error}", file=sys.stderr)
        # gunicorn restarts a worker again and again unless it ends with this status.
        raise SystemExit(Arbiter.WORKER_BOOT_ERROR) from None


def _field(body: dict[str, Any], name: str, is_valid: Callable[[object], bool]) -> Any:
    value = body.get(name)
    if value is not None and not is_valid(value):
        raise InvalidRequest(f"{name} is malformed")
    return value


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)
