"""A function as `faas-cli list` and `faas-cli describe` show it."""

from typing import Any

from local.faas.deployment import NAMESPACE
from local.faas.function import Function

#: Annotations of our own: how the function runs, and why it does not.
WATCHDOG, REASON = "local.watchdog", "local.not-ready"


def status(function: Function, watchdog: str) -> dict[str, Any]:
    """The document. What was not set is left out, as faas-cli expects it."""
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
    del document["service"]
    return {name: value for name, value in document.items() if value not in (None, [], ())}
