"""MetricsCollector: what the service counts and times, for Prometheus (specification 4.7)."""

import os
from functools import partial
from time import perf_counter

from flask import Flask, Response, g, request
from gevent import socket
from gevent.pywsgi import WSGIServer
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, make_wsgi_app
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_flask_exporter import PrometheusMetrics

METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"})
FAST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class MetricsCollector:
    """The service's metrics. Labels are bounded: never a title, a user or an id.

    Args:
        registry: where they are registered; one process has one.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._exporter = PrometheusMetrics.for_app_factory(
            export_defaults=False, path=None, registry=registry
        )
        counter = partial(Counter, registry=registry)
        gauge = partial(Gauge, registry=registry)
        timer = partial(Histogram, registry=registry, buckets=FAST_BUCKETS)
        self._requests = timer(
            "http_request_duration_seconds",
            "Time from a request's arrival to its answer",
            ["method", "endpoint", "status"],
        )
        self._runs = timer(
            "lambda_runtime_execution_seconds", "Time of a script's run, by its runtime", ["language"]
        )
        self._executions = counter(
            "lambda_executions_total", "Executions answered, by how they ended", ["language", "outcome"]
        )
        self._lookups = counter(
            "lambda_cache_lookups_total",
            "Executions by where their answer came from: hit, twin (another one's run), miss, refresh",
            ["result"],
        )
        self._compilations = counter(
            "lambda_artifacts_total",
            "Initializations of compiled languages, by whether an artifact was at hand",
            ["language", "source"],
        )
        self._created = counter("lambda_sessions_created_total", "Sessions created", ["language"])
        self._active = gauge(
            "lambda_sessions_active", "Sessions neither ended nor expired", multiprocess_mode="mostrecent"
        )
        self._cache_failures = counter(
            "lambda_cache_failures_total", "Operations that the cache did not answer", ["operation"]
        )
        self._log_queue = gauge(
            "lambda_log_queue_records", "Log records waiting for PostgreSQL", multiprocess_mode="livesum"
        )
        self._log_spool = gauge(
            "lambda_log_spool_bytes",
            "Log records of all processes on disk, waiting for PostgreSQL",
            multiprocess_mode="mostrecent",
        )
        self._log_lost = counter(
            "lambda_log_records_lost_total", "Log records dropped: no room for them, damaged, or refused"
        )

    def observe(self, app: Flask) -> None:
        """Serves `/metrics` from `app` and times its requests."""
        self._exporter.register_endpoint("/metrics", app)
        app.before_request(_start_clock)
        app.after_request(self._request_answered)

    def execution_answered(self, language: str, outcome: str) -> None:
        """`outcome`: ok, or the error's code in lower case."""
        self._executions.labels(language, outcome).inc()

    def cache_answered(self, result: str) -> None:
        """`result`: hit, twin, miss or refresh."""
        self._lookups.labels(result).inc()

    def cache_failed(self, operation: str) -> None:
        self._cache_failures.labels(operation).inc()

    def script_ran(self, language: str, milliseconds: float) -> None:
        self._runs.labels(language).observe(milliseconds / 1000)

    def artifact_made(self, language: str, cached: bool) -> None:
        self._compilations.labels(language, "cache" if cached else "compiler").inc()

    def session_created(self, language: str) -> None:
        self._created.labels(language).inc()

    def sessions_active(self, count: int) -> None:
        self._active.set(count)

    def log_queued(self, waiting: int) -> None:
        self._log_queue.set(waiting)

    def log_spooled(self, waiting_bytes: int) -> None:
        self._log_spool.set(waiting_bytes)

    def log_lost(self, records: int) -> None:
        self._log_lost.inc(records)

    def _request_answered(self, response: Response) -> Response:
        method = request.method if request.method in METHODS else "other"
        endpoint = request.endpoint or "none"
        elapsed = perf_counter() - g.started
        self._requests.labels(method, endpoint, str(response.status_code)).observe(elapsed)
        return response


class MetricsServer:
    """The metrics alone, on a port of their own.

    Every worker process listens on the one port, and each answers for all of them: prometheus_client adds up what
    they left in the folder PROMETHEUS_MULTIPROC_DIR.

    Args:
        port: TCP port on every interface; 0: no server.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._server: WSGIServer | None = None

    def start(self) -> None:
        """Starts to listen; raises OSError when the port is taken by somebody else."""
        if self._port:
            listener = socket.create_server(("", self._port), reuse_port=True)
            self._server = WSGIServer(listener, make_wsgi_app(_whole_registry()), log=None)
            self._server.start()

    def close(self) -> None:
        """Stops listening."""
        if self._server is not None:
            self._server.stop()


def _whole_registry() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def _start_clock() -> None:
    g.started = perf_counter()
