"""KubernetesDiscovery against a real API server, with the account and the rights that the manifests give."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.controller.runtimes.discovery.contract import (
    LANGUAGE_LABEL,
    NAMESPACE,
    DiscoveryContract,
    endpoint_slice,
    until_watched,
)
from tests.integration.controller.runtimes.discovery.follower_process import (
    Follow,
    FollowerProcess,
    followers,
)
from tests.integration.deploy.kubernetes.conftest import Built
from tests.integration.tools.api_server.conftest import ACCOUNT, FollowedServer
from tools.api_server.control_plane import Admin, ControlPlane


@pytest.fixture
def api(control_plane: ControlPlane, built: Built) -> Iterator[FollowedServer]:
    [binding] = [one for one in built("components/discovery") if one["kind"] == "RoleBinding"]
    server = FollowedServer(control_plane, binding)
    yield server
    server.close()


@pytest.fixture
def service_account(tmp_path: Path, control_plane: ControlPlane) -> Path:
    """The three files that Kubernetes mounts."""
    (tmp_path / "token").write_text(control_plane.admin.token_of(NAMESPACE, ACCOUNT))
    (tmp_path / "namespace").write_text(NAMESPACE)
    (tmp_path / "ca.crt").write_bytes(control_plane.certificate.read_bytes())
    return tmp_path


@pytest.fixture
def follow(follower_process: FollowerProcess, service_account: Path, api: FollowedServer) -> Iterator[Follow]:
    yield from followers(follower_process, service_account, api.port)


class TestRealServer(DiscoveryContract):
    """The contract, on kube-apiserver."""


def test_the_services_of_the_manifests_are_followed(
    cluster: Admin, api: FollowedServer, follow: Follow
) -> None:
    follower = follow()
    follower.until_known()
    selected = f"/api/v1/namespaces/{NAMESPACE}/services?labelSelector={LANGUAGE_LABEL}"
    for last, service in enumerate(cluster.ask("GET", selected).json()["items"], 1):
        one = endpoint_slice(service["metadata"]["name"], f"10.1.2.{last}")
        # The control plane copies all labels of the Service.
        one["metadata"]["labels"].update(service["metadata"]["labels"])
        [port] = service["spec"]["ports"]
        one["ports"] = [{"name": port["name"], "protocol": port["protocol"], "port": port["targetPort"]}]
        api.put(one)
    follower.until_known(nodejs=["10.1.2.1"], python=["10.1.2.2"], rust=["10.1.2.3"])


def test_what_is_known_stays_while_the_api_server_restarts(
    control_plane: ControlPlane, api: FollowedServer, follow: Follow
) -> None:
    api.put(endpoint_slice("runtime-python", "10.1.2.3"))
    follower = follow()
    follower.until_known(python=["10.1.2.3"])
    until_watched(api, 1)
    control_plane.restart_api_server()
    api.put(endpoint_slice("runtime-python", "10.1.2.4"))
    follower.until_known(python=["10.1.2.4"])
    assert all(one["addresses"] for one in follower.history if one["complete"])


def test_a_new_token_is_read_from_its_file(
    api: FollowedServer, service_account: Path, follow: Follow
) -> None:
    api.put(endpoint_slice("runtime-python", "10.1.2.3"))
    valid = (service_account / "token").read_text()
    (service_account / "token").write_text("expired")
    follower = follow()
    follower.until_logged("401 Unauthorized")
    # The file is read again once a minute.
    (service_account / "token").write_text(valid)
    follower.until_known(python=["10.1.2.3"])
