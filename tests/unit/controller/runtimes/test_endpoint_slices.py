"""What is read from EndpointSlices, with the fields and meanings of the API reference, discovery.k8s.io/v1.

Source: kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1 and
kubernetes.io/docs/concepts/services-networking/endpoint-slices.
"""

from typing import Any

from controller.runtimes.endpoint_slices import addresses_by_language


def endpoint_slice(
    *addresses: str, service: str = "runtime-python", language: str = "python", **fields: Any
) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": service, "lambda-microservice/language": language}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{service}-abc", "labels": labels},
        "addressType": "IPv4",
        "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
        **fields,
    }


def test_slices_of_several_services_join() -> None:
    slices = [
        endpoint_slice("10.1.2.4", "10.1.2.3"),
        endpoint_slice("10.1.9.1", service="more-python"),
        endpoint_slice("10.1.7.7", service="runtime-ruby", language="ruby"),
    ]
    assert addresses_by_language(slices) == {
        "python": ("http://10.1.2.3:8080", "http://10.1.2.4:8080", "http://10.1.9.1:8080"),
        "ruby": ("http://10.1.7.7:8080",),
    }


def test_only_ready_endpoints_count_and_no_condition_is_ready() -> None:
    endpoints: list[dict[str, Any]] = [
        {"addresses": ["10.0.0.1"], "conditions": {"ready": False, "serving": True, "terminating": True}},
        {"addresses": ["10.0.0.2", "10.0.0.9"], "conditions": {}},
        {"addresses": ["10.0.0.3"]},
        {"addresses": ["10.0.0.4"], "conditions": {"ready": None}},
    ]
    found = addresses_by_language([endpoint_slice(endpoints=endpoints)])
    assert found == {"python": ("http://10.0.0.2:8080", "http://10.0.0.3:8080", "http://10.0.0.4:8080")}


def test_a_service_without_pods_is_known_and_has_no_address() -> None:
    assert addresses_by_language([endpoint_slice(endpoints=None, ports=None)]) == {"python": ()}
    assert addresses_by_language([endpoint_slice(endpoints=[], ports=[])]) == {"python": ()}


def test_a_pod_of_both_families_counts_once() -> None:
    both = [
        endpoint_slice("10.0.0.1"),
        endpoint_slice("fd00::1", addressType="IPv6"),
        endpoint_slice("fd00::2", addressType="IPv6", service="only-six"),
        endpoint_slice("pod.example", addressType="FQDN"),
    ]
    assert addresses_by_language(both) == {"python": ("http://10.0.0.1:8080", "http://[fd00::2]:8080")}


def test_the_port_named_frames_is_named_by_each_address() -> None:
    frames = {"name": "frames", "protocol": "TCP", "port": 8083}
    http = {"name": "http", "port": 8080}
    for ports in ([http, frames], [frames, http]):
        found = addresses_by_language([endpoint_slice("10.0.0.1", ports=ports)])
        assert found == {"python": ("http://10.0.0.1:8080#frames=8083",)}
    six = endpoint_slice("fd00::1", addressType="IPv6", ports=[frames, {"name": "other", "port": 5000}])
    assert addresses_by_language([six]) == {"python": ("http://[fd00::1]:5000#frames=8083",)}
    assert addresses_by_language([endpoint_slice("10.0.0.1", ports=[frames])]) == {"python": ()}


def test_the_port_named_http_comes_first() -> None:
    ports = [
        {"name": "dns", "protocol": "UDP", "port": 53},
        {"name": "metrics", "protocol": "TCP", "port": 8081},
        {"name": "http", "port": 5000},
    ]
    assert addresses_by_language([endpoint_slice("10.0.0.1", ports=ports)])["python"] == (
        "http://10.0.0.1:5000",
    )
    assert addresses_by_language([endpoint_slice("10.0.0.1", ports=ports[:2])])["python"] == (
        "http://10.0.0.1:8081",
    )


def test_a_slice_without_the_label_belongs_to_no_service() -> None:
    assert addresses_by_language([endpoint_slice("10.0.0.1", metadata={"name": "x"})]) == {}
