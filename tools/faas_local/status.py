"""A function as `faas-cli list` and `faas-cli describe` show it."""

import contextlib
import os
from collections.abc import Iterable
from typing import Any

from local.supervisor.proc import PROC, descendants, stat_fields
from tools.faas_local.deployment import NAMESPACE
from tools.faas_local.function import Function

#: Annotations of our own: how the function runs, and why it does not.
WATCHDOG, REASON = "local.watchdog", "local.not-ready"


def status(function: Function, watchdog: str, *, measured: bool = False) -> dict[str, Any]:
    """The document, with what its processes use if that is to be measured. What was not set is left out."""
    deployment = function.deployment
    own = {WATCHDOG: watchdog} | ({REASON: function.reason} if function.reason else {})
    document = deployment.to_json() | {
        "name": deployment.service,
        "namespace": NAMESPACE,
        "labels": dict(deployment.labels),
        "annotations": {**deployment.annotations, **own},
        "invocationCount": function.calls,
        "replicas": function.replicas,
        "availableReplicas": function.available,
        "createdAt": function.created_at.isoformat(),
    }
    if measured:
        document["usage"] = usage(function.pids)
    del document["service"]
    return {name: value for name, value in document.items() if value not in (None, [], ())}


_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def usage(pids: Iterable[int]) -> dict[str, float]:
    """Of the processes and all below them: thousandths of a CPU, on the average since each began; and bytes."""
    measured = [_measure(pid) for root in pids for pid in descendants(root)]
    return {
        "cpu": round(sum(cpu for cpu, _ in measured), 1),
        "totalMemoryBytes": sum(memory for _, memory in measured),
    }


def _measure(pid: int) -> tuple[float, float]:
    """Nothing of a process that is gone."""
    fields = stat_fields(pid)
    if fields is not None:
        with contextlib.suppress(OSError):
            seconds = (int(fields[11]) + int(fields[12])) / _TICKS
            age = float((PROC / "uptime").read_text().split()[0]) - int(fields[19]) / _TICKS
            pages = int((PROC / str(pid) / "statm").read_text().split()[1])
            return 1000 * seconds / max(age, 1 / _TICKS), float(pages * _PAGE)
    return 0.0, 0.0
