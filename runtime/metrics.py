"""What a runtime counts and times, for Prometheus. See docs/metrics.md.

`telemetry.metrics_server` serves it on a port that is not the one of the runtime's calls: everybody can reach those
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

RUN_BUCKETS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0)
WAIT_BUCKETS = (0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)
COMPILE_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
HUNG_UP = "client_gone"


class RuntimeMetrics:
    """The metrics of one runtime; each has its registry, and its language as a label."""

    def __init__(self, language: str) -> None:
        self.registry = CollectorRegistry()
        self._language = language
        # A metric is found by its labels in twice the time that it takes to count: the few that there are, are kept.
        self._labelled = cache(lambda counter, *labels: counter.labels(language, *labels))
        counter = partial(Counter, registry=self.registry)
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
        Gauge(
            "lambda_build_info",
            "The version that runs; always 1",
            ["component", "version", "python"],
            registry=self.registry,
        ).labels(f"runtime-{language}", package_version(), platform.python_version()).set(1)

    def follow(self, workers: Callable[[], Mapping[str, int]]) -> None:
        """Has the pool asked how many workers there are, each time the metrics are."""
        self.registry.register(_Workers(self._language, workers))

    def answered(self, call: str, code: str) -> None:
        """`call`: run or prepare."""
        self._labelled(self._requests, call, code).inc()

    def ran(self, usage: RunUsage) -> None:
        """A run was made, whatever came of it."""
        self._runs.observe(usage.execution_time / 1000)
        self._labelled(self._starts, "cold" if usage.cold else "warm").inc()

    def waited(self, seconds: float) -> None:
        """A call got its worker, or gave up."""
        self._waits.observe(seconds)

    def compiled(self, seconds: float) -> None:
        self._compilations.observe(seconds)

    def killed(self, cause: BaseException) -> None:
        """A worker ended with its run."""
        self._labelled(self._kills, _verdict(cause)).inc()


class Timer(Collector):
    """A histogram that takes no lock, for there is one thread: the library's takes four times as long for each value.

    Args:
        buckets: upper bounds in seconds, ascending, without infinity.
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
        """One more has taken so long."""
        self._counts[bisect_left(self._buckets, seconds)] += 1
        self._sum += seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
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


def _verdict(cause: BaseException) -> str:
    match cause:
        case ScriptTimeout():
            return "timeout"
        case ScriptFailed():
            return str(cause.details["kind"])
        case Exception():
            return "not_loaded"
    return HUNG_UP


def package_version() -> str:
    """Return the version of this package, which is one for controller and runtimes."""
    try:
        return version("lambda-microservice")
    except PackageNotFoundError:
        return "unknown"
