"""Who may reach whom: for every pair of ends and every port that somebody listens on, computed from the policies."""

from itertools import product

import pytest

from tests.integration.deploy.kubernetes import stack
from tests.integration.deploy.kubernetes.conftest import Built
from tests.integration.deploy.kubernetes.network import Network, Pod

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
