"""The Prometheus metrics of a runtime. See docs/metrics.md.

`telemetry.metrics_server` serves them on a separate port, because the port of the runtime's calls can be reached
through the gateway.
"""

import platform
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from runtime.errors import RunUsage, ScriptFailed, ScriptTimeout

#: Upper bounds of the histograms, in seconds.
RUN_BUCKETS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0)
WAIT_BUCKETS = (0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)
COMPILE_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
#: Why a connection for frames is refused.
FRAMES_REFUSED = ("secret", "silent", "malformed", "full")
#: The verdict when the client closed its connection.
HUNG_UP = "client_gone"


class RuntimeMetrics:
    """The metrics of one runtime, in a separate registry. All have the language as a label."""

    def __init__(self, language: str) -> None:
        self.registry = CollectorRegistry()
        self._language = language
        # Finding a counter by its labels takes twice as long as incrementing it, so the few counters are cached.
        self._labelled = cache(lambda counter, *labels: counter.labels(language, *labels))
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        timer = partial(Timer, language, registry=self.registry)
        self._requests = counter(
            "lambda_runtime_requests_total",
            "Calls of the controller by how they ended: ok, or the code of their error in lower case",
            ["language", "call", "code"],
        )
        self._runs = timer(
            "lambda_runtime_run_seconds",
            "Time of a run in its process, loading included, whether it failed or not",
            RUN_BUCKETS,
        )
        self._waits = timer(
            "lambda_runtime_queue_seconds",
            "Time a call waited for a worker to come free",
            WAIT_BUCKETS,
        )
        self._starts = counter(
            "lambda_runtime_starts_total",
            "Runs by whether they had to load their script: cold, or warm",
            ["language", "start"],
        )
        self._kills = counter(
            "lambda_runtime_kills_total",
            "Workers that a run cost: the verdict on the script, or that its client was gone",
            ["language", "verdict"],
        )
        self._compilations = timer(
            "lambda_runtime_compile_seconds",
            "Time of a compilation that gave an artifact",
            COMPILE_BUCKETS,
        )
        self._make_environment_metrics()
        self._make_frame_metrics()
        gauge(
            "lambda_build_info",
            "The version that runs; always 1",
            ["component", "version", "python"],
        ).labels(f"runtime-{language}", package_version(), platform.python_version()).set(1)

    def _make_frame_metrics(self) -> None:
        self._frame_connections = Gauge(
            "lambda_runtime_frame_connections",
            "Connections of controllers that carry calls as frames",
            ["language"],
            registry=self.registry,
        ).labels(self._language)
        self._frames_refused = Counter(
            "lambda_runtime_frame_connections_refused_total",
            "Connections for frames that were closed for what came over them: secret, silent, malformed, or full",
            ["language", "reason"],
            registry=self.registry,
        )
        for reason in FRAMES_REFUSED:
            self._labelled(self._frames_refused, reason)

    def _make_environment_metrics(self) -> None:
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        self._environments_asked = counter(
            "lambda_runtime_environments_asked_total",
            "Calls with an environment by whether the runtime had it: kept, or needed",
            ["language", "found"],
        )
        self._environments_evicted = counter(
            "lambda_runtime_environments_evicted_total",
            "Environments removed to make room for others",
            ["language"],
        )
        self._environments = gauge(
            "lambda_runtime_environments", "Environments that are kept whole", ["language"]
        ).labels(self._language)
        self._environment_bytes = gauge(
            "lambda_runtime_environment_bytes",
            "What environments take on the disk, those in part too",
            ["language"],
        ).labels(self._language)
        # A series begins with its first value: otherwise the first eviction would be no increase.
        self._labelled(self._environments_evicted)
        for found in ("kept", "needed"):
            self._labelled(self._environments_asked, found)

    def follow(self, workers: Callable[[], Mapping[str, int]]) -> None:
        """Call `workers` at each scrape, for the numbers of idle, busy and blank workers and of waiting requests."""
        self.registry.register(_Workers(self._language, workers))

    def follow_environments(self, number: Callable[[], int], disk_bytes: Callable[[], int]) -> None:
        """Call both at each scrape, for the number of environments and the bytes that they take."""
        self._environments.set_function(number)
        self._environment_bytes.set_function(disk_bytes)

    def frames_connected(self, change: int) -> None:
        """Count a connection for frames that is accepted (1), or has ended (-1)."""
        self._frame_connections.inc(change)

    def frames_refused(self, reason: str) -> None:
        """Count a refused connection for frames, by one of FRAMES_REFUSED."""
        self._labelled(self._frames_refused, reason).inc()

    def environment_asked(self, *, kept: bool) -> None:
        """Count a call with an environment, by whether the runtime has that."""
        self._labelled(self._environments_asked, "kept" if kept else "needed").inc()

    def environment_evicted(self) -> None:
        """Count an environment that was removed to make room."""
        self._labelled(self._environments_evicted).inc()

    def answered(self, call: str, code: str) -> None:
        """Count an answered call.

        Args:
            call: `run`, `prepare` or `environment`.
            code: `ok`, or the error's code in lower case.
        """
        self._labelled(self._requests, call, code).inc()

    def ran(self, usage: RunUsage) -> None:
        """Count a run, whether it failed or not."""
        self._runs.observe(usage.execution_time / 1000)
        self._labelled(self._starts, "cold" if usage.cold else "warm").inc()

    def waited(self, seconds: float) -> None:
        """Record how long a call waited for a worker, whether it got one or not."""
        self._waits.observe(seconds)

    def compiled(self, seconds: float) -> None:
        """Record the time of a successful compilation."""
        self._compilations.observe(seconds)

    def killed(self, cause: BaseException) -> None:
        """Count a worker that ended with its run."""
        self._labelled(self._kills, _kill_verdict(cause)).inc()


class Timer(Collector):
    """A histogram without a lock, because there is one thread. The library's takes four times as long per value.

    Args:
        language: The value of the label.
        name: The metric's name.
        meaning: Its help text.
        buckets: Upper bounds in seconds, ascending, without infinity.
        registry: Where to register it.
    """

    def __init__(
        self, language: str, name: str, meaning: str, buckets: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self._family = partial(HistogramMetricFamily, name, meaning, labels=["language"])
        self._language = language
        self._buckets = buckets
        self._counts = [0] * (len(buckets) + 1)
        self._sum = 0.0
        registry.register(self)

    def observe(self, seconds: float) -> None:
        """Record one value."""
        self._counts[bisect_left(self._buckets, seconds)] += 1
        self._sum += seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Return the metric for a scrape."""
        family = self._family()
        bounds = map(floatToGoString, (*self._buckets, float("inf")))
        family.add_metric(
            [self._language], list(zip(bounds, accumulate(self._counts), strict=True)), self._sum
        )
        yield family


class _Workers(Collector):
    def __init__(self, language: str, workers: Callable[[], Mapping[str, int]]) -> None:
        self._language = language
        self._workers = workers

    def collect(self) -> Iterator[GaugeMetricFamily]:
        counts = self._workers()
        workers = GaugeMetricFamily(
            "lambda_runtime_workers",
            "Processes by what they do: idle, busy, or blank in the reserve",
            labels=["language", "state"],
        )
        for state in ("idle", "busy", "blank"):
            workers.add_metric([self._language, state], counts[state])
        yield workers
        waiting = GaugeMetricFamily(
            "lambda_runtime_waiting_requests", "Calls that wait for a worker", labels=["language"]
        )
        waiting.add_metric([self._language], counts["waiting"])
        yield waiting


def _kill_verdict(cause: BaseException) -> str:
    match cause:
        case ScriptTimeout():
            return "timeout"
        case ScriptFailed():
            return str(cause.details["kind"])
        case Exception():
            return "not_loaded"
    return HUNG_UP


def package_version() -> str:
    """Return the version of the installed package, which controller and runtimes share."""
    try:
        return version("lambda-microservice")
    except PackageNotFoundError:
        return "unknown"
