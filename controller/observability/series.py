"""Metrics whose children are kept by their labels, and the timers of stores that are made of them."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics import MetricWrapperBase

from telemetry.operation_timer import OperationTimer

M = TypeVar("M", bound=MetricWrapperBase)


class Series(dict[str | tuple[str, ...], M], Generic[M]):
    """Caches a metric's children by their label or labels: the library's look-up takes a lock each time."""

    def __init__(self, metric: M) -> None:
        super().__init__()
        self._metric = metric

    def __missing__(self, labels: str | tuple[str, ...]) -> M:
        child = self[labels] = self._metric.labels(*((labels,) if isinstance(labels, str) else labels))
        return child


class PrometheusTimer(OperationTimer):
    """Records a store's latency and failures."""

    def __init__(self, seconds: Histogram, failures: Counter) -> None:
        self._seconds = Series(seconds)
        self._failures = Series(failures)

    def took(self, operation: str, seconds: float) -> None:
        """Record the time of an operation, whether it failed or not."""
        self._seconds[operation].observe(seconds)

    def failed(self, operation: str) -> None:
        """Count a failed operation."""
        self._failures[operation].inc()


def counter_series(
    registry: CollectorRegistry, name: str, documentation: str, labels: list[str]
) -> Series[Counter]:
    """Return a new counter."""
    return Series(Counter(name, documentation, labels, registry=registry))


def histogram_series(
    registry: CollectorRegistry, name: str, documentation: str, labels: list[str], buckets: Sequence[float]
) -> Series[Histogram]:
    """Return a new histogram."""
    return Series(Histogram(name, documentation, labels, buckets=buckets, registry=registry))


def store_timer(
    registry: CollectorRegistry, store: str, name: str, buckets: Sequence[float]
) -> PrometheusTimer:
    """Return the metrics of one store. `name` is its product name."""
    seconds = Histogram(
        f"lambda_{store}_seconds",
        f"Time of one operation of {name}",
        ["operation"],
        buckets=buckets,
        registry=registry,
    )
    failures = Counter(
        f"lambda_{store}_failures_total", f"Operations that {name} failed", ["operation"], registry=registry
    )
    return PrometheusTimer(seconds, failures)
