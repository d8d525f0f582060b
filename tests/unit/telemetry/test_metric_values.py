"""Metrics without locks show what the library's own show, and stay the library's where processes share them."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest, values
from prometheus_client.openmetrics.exposition import generate_latest as generate_open_metrics

from controller.observability.metrics import MetricsCollector
from runtime.errors import RunUsage
from runtime.metrics import RuntimeMetrics
from telemetry.metric_values import UnlockedValue, use_unlocked_values

USAGE = RunUsage(1.5, 1.0, 1 << 20, 10, 10, None, cold=False)


def shown() -> list[str]:
    """The lines of a controller and of a runtime after a few calls, in both formats, without times of day."""
    registry, runtime = CollectorRegistry(), RuntimeMetrics("python")
    metrics = MetricsCollector(registry)
    for seconds in (0.0, 0.0005, 0.3, 1000.0):
        metrics.call_ended("execute", "python", "ok", seconds, "hit")
        metrics.answered("POST", "execute", 200, seconds, "a" * 32)
        metrics.redis.took("begin", seconds)
        runtime.ran(USAGE)
    metrics.circuit_changed(None, "open")
    metrics.circuit_changed("open", "closed")
    metrics.environments_kept(7, 3)
    metrics.log_queued(2)
    written = [generate(each) for generate in (generate_latest, generate_open_metrics)
               for each in (registry, runtime.registry)]  # fmt: skip
    lines = b"".join(written).decode().splitlines()
    return [line.partition("# {trace_id")[0] for line in lines if "_created" not in line]


def test_the_exposition_is_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "ValueClass", values.MutexValue)
    before = shown()
    use_unlocked_values()

    after = shown()

    assert values.ValueClass is UnlockedValue
    assert after == before
    assert 'lambda_requests_total{code="ok",endpoint="execute",language="python"} 4.0' in after


def test_values_that_processes_share_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    class Shared:
        """Stands for values in files."""

    monkeypatch.setattr(values, "ValueClass", Shared)

    use_unlocked_values()

    assert values.ValueClass is Shared
