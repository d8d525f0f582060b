"""Who may reach whom, computed from NetworkPolicies as Kubernetes reads them.

A pod that no policy selects for a direction is open in it. Of those that select it one has to allow the connection,
at both of its ends.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from itertools import product
from typing import Any

import pytest

from tests.integration.deploy.kubernetes import stack
from tests.integration.deploy.kubernetes.conftest import Built

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


CONTROLLERS = [Pod(one.name, stack.NAMESPACE, one.labels) for one in stack.component("controller")]
RUNTIMES = [Pod(one.name, stack.NAMESPACE, one.labels) for one in stack.component("runtime")]
[PACKAGES] = [Pod(one.name, stack.NAMESPACE, one.labels) for one in stack.component("packages")]
OURS = [*CONTROLLERS, *RUNTIMES, PACKAGES]
GATEWAY = Pod("gateway", "openfaas", {"app": "gateway"})
NAMES = Pod("names", "kube-system", {"k8s-app": "kube-dns"})
PROMETHEUS = [
    Pod("OpenFaaS's Prometheus", "openfaas", {"app": "prometheus"}),
    Pod("another Prometheus", "monitoring", {"app.kubernetes.io/name": "prometheus"}),
]
POSTGRES = Pod("PostgreSQL", "lambda-data", {"cnpg.io/cluster": "lambda-postgres"})
REDIS = Pod("Redis", "lambda-data", {"app.kubernetes.io/name": "redis"})
API_SERVER = Pod("API server", address="172.18.0.2")
INTERNET = Pod("somebody outside", address="203.0.113.7")
METADATA = Pod("the cloud's credentials", address="169.254.169.254")
STRANGERS = [
    Pod("another's function", stack.NAMESPACE, {"faas_function": "other"}),
    Pod("another namespace's pod", "default", {"app": "gateway"}),
]
MIGRATION = Pod(
    "migration",
    stack.NAMESPACE,
    {"app.kubernetes.io/part-of": "lambda-microservice", "app.kubernetes.io/component": "migration"},
)
OTHERS = [GATEWAY, NAMES, *PROMETHEUS, *STRANGERS, API_SERVER, INTERNET, METADATA]
OUR_OWN = [*OURS, MIGRATION]
METRICS, HTTPS, API = 9090, 443, 6443
FRAMES = int(stack.component("runtime")[0].environment["RUNTIME_FRAMES"])
PORTS = (stack.PORT, FRAMES, METRICS, HTTPS, API, 53, 5432, 6379, 8000, 8081)

Way = tuple[str, str, int]


def ways(sources: list[Pod], targets: list[Pod], *ports: int) -> set[Way]:
    return {(source.name, target.name, port) for source, target, port in product(sources, targets, ports)}


SHARED = (
    ways([GATEWAY], [*CONTROLLERS, PACKAGES], stack.PORT)
    | ways(PROMETHEUS, OURS, METRICS)
    | ways([*CONTROLLERS, MIGRATION], [NAMES], 53)
    | ways(CONTROLLERS, [GATEWAY], stack.PORT)
)
BY_THE_GATEWAY = ways([GATEWAY], RUNTIMES, stack.PORT)
DIRECT = ways(CONTROLLERS, RUNTIMES, stack.PORT, FRAMES)
STORES = ways([*CONTROLLERS, MIGRATION], [POSTGRES], 5432) | ways(CONTROLLERS, [REDIS], 6379)
# Where the API server is only the cluster's owner knows; everybody who lets others in is within the block.
API_SERVERS = ways(CONTROLLERS, [one for one in OTHERS if one != METADATA], HTTPS, API)

# To the internet alone: every other address here is one of a private network, or of the cloud itself.
REGISTRIES = ways([PACKAGES], [NAMES], 53) | ways([PACKAGES], [INTERNET], HTTPS)

EXPECTED = {
    "base": SHARED | BY_THE_GATEWAY,
    "overlays/dev": SHARED | BY_THE_GATEWAY | STORES | REGISTRIES,
    "overlays/prod": SHARED | DIRECT | STORES | API_SERVERS | REGISTRIES,
    "components/packages": SHARED | BY_THE_GATEWAY | REGISTRIES,
    "components/runtime-dns": SHARED | BY_THE_GATEWAY | ways(RUNTIMES, [NAMES], 53),
    "components/token-keys": SHARED | BY_THE_GATEWAY | ways(CONTROLLERS, [INTERNET], HTTPS),
}


@pytest.mark.parametrize("folder", EXPECTED)
def test_only_these_ways_are_open(built: Built, folder: str) -> None:
    network = Network(built(folder))
    pairs = [*product(OUR_OWN, [*OUR_OWN, *OTHERS, POSTGRES, REDIS]), *product(OTHERS, OUR_OWN)]
    found = {way for source, target in pairs for way in open_ways(network, source, target)}
    assert found == EXPECTED[folder]


def test_a_runtime_reaches_nothing_by_any_protocol(built: Built) -> None:
    everybody = [*OUR_OWN, *OTHERS, POSTGRES, REDIS]
    for folder in ("base", "overlays/dev", "overlays/prod"):
        network = Network(built(folder))
        for runtime, target, port, protocol in product(RUNTIMES, everybody, PORTS, ("TCP", "UDP", "SCTP")):
            assert not network.allows(runtime, target, port, protocol), (
                folder,
                runtime.name,
                target.name,
                port,
            )


def test_what_no_policy_was_written_for_is_closed(built: Built) -> None:
    network = Network(built("base"))
    newcomer = Pod("newcomer", stack.NAMESPACE, {"app.kubernetes.io/part-of": "lambda-microservice"})
    for other in [*OUR_OWN, *OTHERS, POSTGRES]:
        assert not open_ways(network, newcomer, other) | open_ways(network, other, newcomer), other.name


def test_the_stores_let_in_whom_they_serve(built: Built) -> None:
    network = Network(built("components/data-stores"))
    everybody = [*OUR_OWN, *OTHERS, REDIS]
    open_to = {
        way for one in everybody for store in (POSTGRES, REDIS) for way in open_ways(network, one, store)
    }
    assert open_to == STORES
    operator = Pod("operator", "cnpg-system")
    assert network.allows(operator, POSTGRES, 8000)
    assert network.allows(POSTGRES, POSTGRES, 5432)
    assert not network.allows(operator, REDIS, 6379)


def test_stores_outside_are_reached_by_their_addresses_alone(built: Built) -> None:
    network = Network(built("components/external-stores"))
    postgres, redis = Pod("PostgreSQL", address="192.0.2.10"), Pod("Redis", address="198.51.100.10")
    found = {
        way
        for one in OUR_OWN
        for store in (postgres, redis, INTERNET)
        for way in open_ways(network, one, store)
    }
    assert found == STORES


def open_ways(network: Network, source: Pod, target: Pod) -> set[Way]:
    return {
        (source.name, target.name, port)
        for port in PORTS
        if network.allows(source, target, port, "UDP" if port == 53 else "TCP")
    }
