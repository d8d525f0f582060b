"""docs/metrics.md, held to what is registered."""

import re
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from controller.observability.metrics import MetricsCollector
from local.state import ROOT
from runtime.installer.app import timer
from runtime.metrics import RuntimeMetrics

ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| ([\w, ]*)\| (.+) \|$", re.MULTILINE)


def registered(registry: CollectorRegistry) -> Iterator[tuple[str, str, str]]:
    """Name, type and meaning of each metric."""
    for family in registry.collect():
        suffix = "_total" if family.type == "counter" else ""
        yield family.name + suffix, family.type, family.documentation


def controllers() -> CollectorRegistry:
    registry = CollectorRegistry()
    MetricsCollector(registry)
    return registry


def runtimes() -> CollectorRegistry:
    metrics = RuntimeMetrics("python")
    metrics.follow(lambda: dict.fromkeys(("idle", "busy", "blank", "waiting"), 0))
    return metrics.registry


def packages() -> CollectorRegistry:
    registry = CollectorRegistry()
    timer(registry)
    return registry


@pytest.mark.parametrize(
    ("heading", "registry"),
    [
        ("## Controller\n", controllers()),
        ("## Runtimes\n", runtimes()),
        ("## Packages\n", packages()),
    ],
)
def test_the_page_has_each_metric_and_no_other(heading: str, registry: CollectorRegistry) -> None:
    section = (ROOT / "docs" / "metrics.md").read_text().split(heading)[1].split("\n## ")[0]
    listed = [(name, kind, meaning) for name, kind, _, meaning in ROW.findall(section)]

    assert listed == sorted(registered(registry))
