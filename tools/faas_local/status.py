"""A function as `faas-cli list` and `faas-cli describe` show it."""

from typing import Any

from tools.faas_local.deployment import NAMESPACE
from tools.faas_local.function import Function
from tools.faas_local.usage import usage

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
