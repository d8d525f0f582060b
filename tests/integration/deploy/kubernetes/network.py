"""Who may reach whom, computed from NetworkPolicies as Kubernetes reads them.

A pod that no policy selects for a direction is open in it. Of those that select it one has to allow the connection,
at both of its ends.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Pod:
    """An end of a connection. Without a namespace it is something outside, known by its address."""

    name: str
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    address: str = "10.0.0.1"


class Network:
    """Answers for a set of policies."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._policies = [one for one in documents if one["kind"] == "NetworkPolicy"]

    def allows(self, source: Pod, target: Pod, port: int, protocol: str = "TCP") -> bool:
        """Whether a connection from one to the other's port is let through."""
        return self._direction("Egress", source, target, port, protocol) and self._direction(
            "Ingress", target, source, port, protocol
        )

    def _direction(self, direction: str, pod: Pod, peer: Pod, port: int, protocol: str) -> bool:
        policies = [one["spec"] for one in self._policies if _applies(one, direction, pod)]
        key = "to" if direction == "Egress" else "from"
        rules = [rule for spec in policies for rule in spec.get(direction.lower()) or ()]
        return not policies or any(
            _has_port(rule.get("ports"), port, protocol) and _has_peer(rule.get(key), peer, pod.namespace)
            for rule in rules
        )


def _applies(policy: Document, direction: str, pod: Pod) -> bool:
    spec = policy["spec"]
    return (
        direction in spec["policyTypes"]
        and policy["metadata"]["namespace"] == pod.namespace
        and selects(spec["podSelector"], pod.labels)
    )


def _has_port(ports: Sequence[Document] | None, port: int, protocol: str) -> bool:
    # No list allows every port.
    return ports is None or any(
        one.get("protocol", "TCP") == protocol and one["port"] <= port <= one.get("endPort", one["port"])
        for one in ports
    )


def _has_peer(peers: Sequence[Document] | None, pod: Pod, namespace: str) -> bool:
    return peers is None or any(_is_peer(peer, pod, namespace) for peer in peers)


def _is_peer(peer: Document, pod: Pod, namespace: str) -> bool:
    if "ipBlock" in peer:
        # Kubernetes leaves open whether a pod may be reached by a block that its address is in: taken for yes.
        address, block = ip_address(pod.address), peer["ipBlock"]
        left_out = any(address in ip_network(one) for one in block.get("except", ()))
        return address in ip_network(block["cidr"]) and not left_out
    if not pod.namespace:
        return False
    if "namespaceSelector" in peer:
        labels = {"kubernetes.io/metadata.name": pod.namespace}
        if not selects(peer["namespaceSelector"], labels):
            return False
    elif pod.namespace != namespace:
        return False
    return selects(peer.get("podSelector", {}), pod.labels)


def selects(selector: Document, labels: Mapping[str, str]) -> bool:
    """Whether a label selector fits; the empty one fits everything."""
    unknown = selector.keys() - {"matchLabels", "matchExpressions"}
    assert not unknown, unknown
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        _holds(one, labels) for one in selector.get("matchExpressions", ())
    )


def _holds(expression: Document, labels: Mapping[str, str]) -> bool:
    value = labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return value in expression["values"]
        case "NotIn":
            return value not in expression["values"]
        case "Exists":
            return value is not None
        case operator:
            assert operator == "DoesNotExist", operator
            return value is None
