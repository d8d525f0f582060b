"""MetricsCollector: the service's Prometheus metrics (specification 4.7). See docs/metrics.md."""

import os
import platform
from functools import partial
from time import time

from flask import Flask, Response, request
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge
from prometheus_flask_exporter import PrometheusMetrics

from controller import VERSION
from controller.observability.series import counter_series, histogram_series, store_timer

METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"})
CALL_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
OWN_BUCKETS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
BUILD_BUCKETS = (0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)
#: Of requests that concern no language, or did not come so far as to tell.
NO_LANGUAGE = "none"
#: The only version of OpenMetrics that is written.
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


class MetricsCollector:
    """The service's metrics. Label values are bounded: never a title, a user or an id.

    Args:
        registry: the registry of the metrics.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._exporter = PrometheusMetrics.for_app_factory(
            export_defaults=False, path=None, registry=registry
        )
        # With several processes the metrics are in files, which have no exemplars.
        self._exemplars = "PROMETHEUS_MULTIPROC_DIR" not in os.environ
        self._make_request_metrics(registry)
        self._make_copy_metrics(registry)
        self._make_environment_metrics(registry)
        self._make_gauges(registry)
        self._make_log_metrics(registry)
        self.redis = store_timer(registry, "redis", "Redis", OWN_BUCKETS)
        self.postgres = store_timer(registry, "postgres", "PostgreSQL", OWN_BUCKETS)
        _tell_build(registry)

    def _make_request_metrics(self, registry: CollectorRegistry) -> None:
        counter, timer = partial(counter_series, registry), partial(histogram_series, registry)
        self._http = timer(
            "http_request_duration_seconds",
            "Time from a request's arrival to its answer",
            ["method", "endpoint", "status"],
            buckets=CALL_BUCKETS,
        )
        self._requests = counter(
            "lambda_requests_total",
            "Requests by how they ended: ok, or the code of their error in lower case",
            ["endpoint", "language", "code"],
        )
        self._own = timer(
            "lambda_controller_seconds",
            "The controller's own time for an initialization or execution, without its calls to runtimes",
            ["endpoint"],
            buckets=OWN_BUCKETS,
        )
        self._runs = timer(
            "lambda_runtime_execution_seconds",
            "Time of a successful run, as its runtime tells it",
            ["language"],
            buckets=CALL_BUCKETS,
        )
        self._lookups = counter(
            "lambda_cache_lookups_total",
            "Executions by where their answer came from: hit, coalesced (another one's run), miss, refresh",
            ["result"],
        )
        self._artifacts = counter(
            "lambda_artifacts_total",
            "Initializations of compiled languages, by whether an artifact was at hand",
            ["language", "source"],
        )
        self._references = counter(
            "lambda_references_total",
            "Executions by name, by what named the version (newest, live, alias, version) and the side of a canary",
            ["kind", "side"],
        )
        self._created = counter("lambda_sessions_created_total", "Sessions created", ["language"])

    def _make_copy_metrics(self, registry: CollectorRegistry) -> None:
        self._near_hits = Counter(
            "lambda_near_hits_total",
            "Hits that a process answered from its memory, without Redis",
            registry=registry,
        )
        self._near_invalidations = Counter(
            "lambda_near_invalidations_total",
            "Changes of results and sessions that Redis reported to a process",
            registry=registry,
        )
        self._near_breaks = Counter(
            "lambda_near_breaks_total",
            "Times that a process emptied its copy of results because the reports broke off",
            registry=registry,
        )
        self._near_bytes = Gauge(
            "lambda_near_bytes",
            "Bytes of results in the memory of processes",
            multiprocess_mode="livesum",
            registry=registry,
        )

    def _make_environment_metrics(self, registry: CollectorRegistry) -> None:
        counter, timer = partial(counter_series, registry), partial(histogram_series, registry)
        self._environments = counter(
            "lambda_environments_asked_total",
            "Declarations of packages by what they found: hit (an environment that is ready), known (one that is "
            "built again), new",
            ["language", "result"],
        )
        self._builds = counter(
            "lambda_environment_builds_total",
            "Builds of environments by how they ended: ok, or the code of their error in lower case",
            ["language", "code"],
        )
        self._build_seconds = timer(
            "lambda_environment_build_seconds",
            "Time from the beginning of a build to its last stored part, whether it failed or not",
            ["language"],
            buckets=BUILD_BUCKETS,
        )
        self._environment_bytes = Gauge(
            "lambda_environments_bytes",
            "Bytes of the kept parts of environments",
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self._evicted = Counter(
            "lambda_environments_evicted_total",
            "Environments that made room, those used longest ago first",
            registry=registry,
        )

    def _make_gauges(self, registry: CollectorRegistry) -> None:
        gauge = partial(Gauge, registry=registry)
        self._active = gauge(
            "lambda_sessions_active", "Sessions neither ended nor expired", multiprocess_mode="mostrecent"
        )
        self._circuits = gauge(
            "lambda_circuits",
            "Addresses of runtimes by the state of their circuit: closed, open, half-open",
            ["state"],
            multiprocess_mode="livesum",
        )
        self._chores = gauge(
            "lambda_maintenance_success_timestamp_seconds",
            "When a task of the maintenance last succeeded, in seconds since 1970",
            ["task"],
            multiprocess_mode="max",
        )

    def _make_log_metrics(self, registry: CollectorRegistry) -> None:
        self._log_queue = Gauge(
            "lambda_log_queue_records",
            "Log records waiting for PostgreSQL",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._log_spool = Gauge(
            "lambda_log_spool_bytes",
            "Log records of all processes on disk, waiting for PostgreSQL",
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self._log_lost = Counter(
            "lambda_log_records_lost_total",
            "Log records dropped: no room for them, damaged, or refused",
            registry=registry,
        )

    def serve(self, app: Flask) -> None:
        """Serve `/metrics` from `app`."""

        @app.get("/metrics")
        def metrics() -> Response:
            # The library fails with unusual versions in Accept, and with `name[]` in several processes.
            wanted = OPEN_METRICS if "openmetrics" in request.headers.get("Accept", "") else None
            text, content_type = self._exporter.generate_metrics(wanted)
            return Response(text, content_type=content_type)

    def call_ended(
        self, endpoint: str, language: str, code: str, own_seconds: float | None, lookup: str | None
    ) -> None:
        """Count a call that has ended, answered or not.

        Args:
            endpoint: the function's name.
            language: the language, or NO_LANGUAGE.
            code: ok, or the error's in lower case.
            own_seconds: the controller's own time; None: the call did not reach the workflow, or waited for the run
                of another request.
            lookup: hit, coalesced, miss or refresh; None: the call did not look for a result.
        """
        self._requests[endpoint, language, code].inc()
        if own_seconds is not None:
            self._own[endpoint].observe(own_seconds)
        if lookup is not None:
            self._lookups[lookup].inc()

    def near_copy(self, hits: int, invalidations: int, breaks: int, held_bytes: int) -> None:
        """Count what a copy of results has done since the last call, and set its size."""
        self._near_hits.inc(hits)
        self._near_invalidations.inc(invalidations)
        self._near_breaks.inc(breaks)
        self._near_bytes.set(held_bytes)

    def script_ran(self, language: str, milliseconds: float) -> None:
        """Record the time of a run."""
        self._runs[language].observe(milliseconds / 1000)

    def artifact_made(self, language: str, cached: bool) -> None:
        """Count an artifact that was compiled or reused."""
        self._artifacts[language, "cache" if cached else "compiler"].inc()

    def referenced(self, kind: str, side: str) -> None:
        """Count an execution by name: what named the version, and the side of a canary."""
        self._references[kind, side].inc()

    def environment_asked(self, language: str, result: str) -> None:
        """Count a declaration of packages by what it found: hit, known or new."""
        self._environments[language, result].inc()

    def environment_built(self, language: str, code: str, seconds: float) -> None:
        """Count a build of an environment: ok, or the code of its error in lower case."""
        self._builds[language, code].inc()
        self._build_seconds[language].observe(seconds)

    def environments_kept(self, kept_bytes: int, evicted: int) -> None:
        """Set the bytes of all environments, and count those that were evicted."""
        self._environment_bytes.set(kept_bytes)
        self._evicted.inc(evicted)

    def session_created(self, language: str) -> None:
        """Count a new session."""
        self._created[language].inc()

    def sessions_active(self, count: int) -> None:
        """Set the number of active sessions."""
        self._active.set(count)

    def log_queued(self, waiting: int) -> None:
        """Set the number of log records in the queue."""
        self._log_queue.set(waiting)

    def log_spooled(self, waiting_bytes: int) -> None:
        """Set the size of the spool."""
        self._log_spool.set(waiting_bytes)

    def log_lost(self, records: int) -> None:
        """Count lost log records."""
        self._log_lost.inc(records)

    def circuit_changed(self, before: str | None, after: str | None) -> None:
        """Record a change of a circuit's state. None: the circuit did not exist before, or does not any more."""
        if before is not None:
            self._circuits.labels(before).dec()
        if after is not None:
            self._circuits.labels(after).inc()

    def task_done(self, task: str) -> None:
        """Record the time of a successful maintenance task."""
        self._chores.labels(task).set(time())

    def answered(self, method: str, endpoint: str, status: int, seconds: float, trace_id: str | None) -> None:
        """Record the time of an answered request. `trace_id`: the exemplar that leads from the figure to a trace."""
        exemplar = {"trace_id": trace_id} if self._exemplars and trace_id else None
        self._http[method, endpoint, str(status)].observe(seconds, exemplar)


def _tell_build(registry: CollectorRegistry) -> None:
    build = Gauge(
        "lambda_build_info",
        "The version that runs; always 1",
        ["component", "version", "python"],
        multiprocess_mode="max",
        registry=registry,
    )
    build.labels("controller", VERSION, platform.python_version()).set(1)
