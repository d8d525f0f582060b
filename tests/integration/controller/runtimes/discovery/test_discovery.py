"""KubernetesDiscovery against an API server of our own: the contract, and faults that a real server does not show."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from configuration.errors import UnusableSetting
from controller.runtimes.kubernetes import KubernetesDiscovery
from tests.integration.controller.runtimes.discovery.api_server import (
    END,
    EXPIRED,
    NAMESPACE,
    TOKEN,
    ApiServer,
    status,
)
from tests.integration.controller.runtimes.discovery.contract import (
    DiscoveryContract,
    endpoint_slice,
    until_watched,
)
from tests.integration.controller.runtimes.discovery.follower_process import (
    Follow,
    Follower,
    FollowerProcess,
    followers,
)


@pytest.fixture
def api() -> Iterator[ApiServer]:
    server = ApiServer()
    yield server
    server.disappear()


@pytest.fixture
def service_account(tmp_path: Path, api: ApiServer) -> Path:
    """The three files that Kubernetes mounts."""
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "namespace").write_text(NAMESPACE)
    (tmp_path / "ca.crt").write_bytes(api.authority.cert_pem.bytes())
    return tmp_path


@pytest.fixture
def follow(follower_process: FollowerProcess, service_account: Path, api: ApiServer) -> Iterator[Follow]:
    yield from followers(follower_process, service_account, api.port)


@pytest.fixture
def follower(follow: Follow, api: ApiServer) -> Follower:
    """It follows one runtime."""
    api.put(endpoint_slice("runtime-python", "10.1.2.3"))
    return follow()


class TestOurServer(DiscoveryContract):
    """The contract, on our own server."""


def test_a_watch_begins_exactly_where_the_last_one_ended(api: ApiServer, follower: Follower) -> None:
    assert until_watched(api, 1)["resourceVersion"] == "1001"
    version = api.put(endpoint_slice("runtime-python", "10.1.2.4"))
    follower.until_known(python=["10.1.2.4"])
    api.disappear()
    api.reappear()
    assert until_watched(api, 2)["resourceVersion"] == str(version)
    version = api.bookmark()
    api.send(END)
    assert until_watched(api, 3)["resourceVersion"] == str(version)
    api.put(endpoint_slice("runtime-python", "10.1.2.5"))
    follower.until_known(python=["10.1.2.5"])
    assert api.lists == 1


def test_a_version_gone_by_the_status_is_listed_anew(api: ApiServer, follower: Follower) -> None:
    until_watched(api, 1)
    api.disappear()
    version = api.put(endpoint_slice("runtime-python", "10.1.2.9"))
    api.refusals = [EXPIRED]
    api.reappear()
    follower.until_known(python=["10.1.2.9"])
    assert until_watched(api, 2)["resourceVersion"] == str(version)
    assert api.lists == 2


def test_a_list_that_is_refused_is_tried_again(api: ApiServer, follow: Follow) -> None:
    api.put(endpoint_slice("runtime-python", "10.1.2.3"))
    api.refusals = [
        status(429, "TooManyRequests", "the server has received too many requests"),
        status(503, "ServiceUnavailable", "apiserver not ready"),
    ]
    follower = follow()
    follower.until_known(python=["10.1.2.3"])
    assert follower.history[0]["complete"] is False


@pytest.mark.parametrize(
    "frames",
    [
        [b"no json\n", b"\n", b"[]\n"],
        [
            b'{"type": "ADDED"}\n',
            b'{"type": "MODIFIED", "object": {"metadata": {"name": "x"}}}\n',
            b'{"type": "ERROR", "object": {"kind": "Status"}}\n',
        ],
    ],
)
def test_frames_that_make_no_sense_do_not_end_it(
    api: ApiServer, follower: Follower, frames: list[bytes]
) -> None:
    for number, frame in enumerate(frames, 1):
        until_watched(api, number)
        api.send(frame)
        api.send(END)
        until_watched(api, number + 1)
        api.put(endpoint_slice("runtime-python", f"10.1.2.{number}"))
        follower.until_known(python=[f"10.1.2.{number}"])
    assert follower.alive()


def test_an_api_server_that_ends_every_watch_is_not_asked_in_a_loop(
    api: ApiServer, follower: Follower
) -> None:
    for _ in range(50):
        api.send(END)
    until_watched(api, 3)
    # Three attempts take 0.5 to 1.5 s of pauses; a loop would have made all fifty by then.
    assert len(api.watches) < 10
    assert follower.alive()


def test_outside_of_a_cluster_the_start_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableSetting, match="KUBERNETES_NAMESPACE"):
        KubernetesDiscovery("", tmp_path)
    with pytest.raises(UnusableSetting, match="RUNTIME_DISCOVERY"):
        KubernetesDiscovery("default", tmp_path)
