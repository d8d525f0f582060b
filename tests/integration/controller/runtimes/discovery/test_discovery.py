"""KubernetesDiscovery against an API server of our own: what it knows, and what it goes on with after each fault."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.errors import UnusableSetting
from controller.runtimes.kubernetes import KubernetesDiscovery
from tests.integration.controller.runtimes.discovery.api_server import (
    BREAK,
    END,
    EXPIRED,
    NAMESPACE,
    TOKEN,
    ApiServer,
    status,
)
from tests.waiting import until

ROOT = Path(__file__).parents[5]


def endpoint_slice(name: str, version: str, *addresses: str, language: str = "python") -> dict[str, Any]:
    service = {"kubernetes.io/service-name": name, "lambda-microservice/language": language}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-abc",
            "namespace": NAMESPACE,
            "resourceVersion": version,
            "labels": {
                **service,
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            },
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
        "endpoints": [{"addresses": [one], "conditions": {"ready": True}} for one in addresses] or None,
    }


def bookmark(version: str) -> dict[str, Any]:
    kind = {"kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1"}
    return {"type": "BOOKMARK", "object": {**kind, "metadata": {"resourceVersion": version}}}


class Follower:
    """A process that follows; `known` is what it printed last."""

    def __init__(self, service_account: Path, port: int, log: Path) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(port),
        }
        self.log = log
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.integration.controller.runtimes.discovery.follower",
                str(service_account),
            ],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log.open("wb"),
            text=True,
        )
        self.known: dict[str, Any] = {}
        self.history: list[dict[str, Any]] = []
        threading.Thread(target=self._read, daemon=True).start()

    def until_known(self, **languages: list[str]) -> None:
        addresses = {name: [f"http://{one}:8080" for one in found] for name, found in languages.items()}
        until(
            lambda: bool(self.known.get("complete")) and self.known["addresses"] == addresses,
            f"{addresses} are known, instead of {self.known}",
        )

    def alive(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.known = json.loads(line)
            self.history.append(self.known)


@pytest.fixture
def api() -> Iterator[ApiServer]:
    server = ApiServer()
    server.slices = [endpoint_slice("runtime-python", "900", "10.1.2.3")]
    yield server
    server.stop()


@pytest.fixture
def service_account(tmp_path: Path, api: ApiServer) -> Path:
    """The three files that Kubernetes mounts."""
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "namespace").write_text(NAMESPACE)
    (tmp_path / "ca.crt").write_bytes(api.authority.cert_pem.bytes())
    return tmp_path


@pytest.fixture
def follower(service_account: Path, api: ApiServer) -> Iterator[Follower]:
    process = Follower(service_account, api.port, service_account / "log")
    yield process
    process.stop()


def until_watched(api: ApiServer, times: int) -> dict[str, str]:
    """The query of the watch number `times`."""
    until(lambda: len(api.watches) >= times, f"there are {times} watches")
    return api.watches[times - 1]


def test_it_lists_then_follows_every_kind_of_change(api: ApiServer, follower: Follower) -> None:
    follower.until_known(python=["10.1.2.3"])
    query = until_watched(api, 1)
    assert query["resourceVersion"] == "1000"
    assert query["allowWatchBookmarks"].lower() in {"1", "true"}
    api.event("ADDED", endpoint_slice("runtime-ruby", "1001", "10.1.7.7", language="ruby"))
    follower.until_known(python=["10.1.2.3"], ruby=["10.1.7.7"])
    api.event("MODIFIED", endpoint_slice("runtime-python", "1002", "10.1.2.3", "10.1.2.4"))
    follower.until_known(python=["10.1.2.3", "10.1.2.4"], ruby=["10.1.7.7"])
    api.event("MODIFIED", endpoint_slice("runtime-python", "1003"))
    follower.until_known(python=[], ruby=["10.1.7.7"])
    api.event("DELETED", endpoint_slice("runtime-ruby", "1004", "10.1.7.7", language="ruby"))
    follower.until_known(python=[])
    assert (api.lists, len(api.watches)) == (1, 1)


@pytest.mark.parametrize("end", [END, BREAK])
def test_a_watch_that_ends_is_resumed_from_the_last_version(
    api: ApiServer, follower: Follower, end: object
) -> None:
    until_watched(api, 1)
    api.event("MODIFIED", endpoint_slice("runtime-python", "1002", "10.1.2.4"))
    follower.until_known(python=["10.1.2.4"])
    api.send(end)
    assert until_watched(api, 2)["resourceVersion"] == "1002"
    api.send(bookmark("2000"))
    api.send(end)
    assert until_watched(api, 3)["resourceVersion"] == "2000"
    api.event("MODIFIED", endpoint_slice("runtime-python", "2001", "10.1.2.5"))
    follower.until_known(python=["10.1.2.5"])
    assert api.lists == 1


def test_a_version_gone_by_an_error_event_is_listed_anew(api: ApiServer, follower: Follower) -> None:
    until_watched(api, 1)
    api.slices, api.version = [endpoint_slice("runtime-ruby", "3000", "10.1.7.7", language="ruby")], "3001"
    api.send({"type": "ERROR", "object": EXPIRED})
    follower.until_known(ruby=["10.1.7.7"])
    assert until_watched(api, 2)["resourceVersion"] == "3001"
    assert api.lists == 2


def test_a_version_gone_by_the_status_is_listed_anew(api: ApiServer, follower: Follower) -> None:
    until_watched(api, 1)
    api.slices, api.version = [endpoint_slice("runtime-python", "3000", "10.1.2.9")], "3001"
    api.refusals = [EXPIRED]
    api.send(END)
    follower.until_known(python=["10.1.2.9"])
    assert until_watched(api, 2)["resourceVersion"] == "3001"


def test_what_is_known_stays_while_the_api_server_is_away(api: ApiServer, follower: Follower) -> None:
    follower.until_known(python=["10.1.2.3"])
    until_watched(api, 1)
    port = api.port
    api.stop()
    until(lambda: "what is known stays" in follower.log.read_text(), "the failure is logged")
    follower.until_known(python=["10.1.2.3"])
    api.start(port)
    assert until_watched(api, 2)["resourceVersion"] == "1000"
    api.event("MODIFIED", endpoint_slice("runtime-python", "1002", "10.1.2.4"))
    follower.until_known(python=["10.1.2.4"])
    # Never, at no moment, was there nothing.
    assert all(one["addresses"] for one in follower.history if one["complete"])


@pytest.mark.parametrize(
    "refusal",
    [
        status(403, "Forbidden", "endpointslices.discovery.k8s.io is forbidden"),
        status(429, "TooManyRequests", "the server has received too many requests"),
        status(503, "ServiceUnavailable", "apiserver not ready"),
    ],
)
def test_a_list_that_is_refused_is_tried_again(
    api: ApiServer, service_account: Path, refusal: dict[str, Any]
) -> None:
    api.refusals = [refusal, refusal]
    process = Follower(service_account, api.port, service_account / "log")
    try:
        process.until_known(python=["10.1.2.3"])
        assert process.history[0]["complete"] is False
    finally:
        process.stop()


@pytest.mark.parametrize(
    "frame",
    [
        b"no json\n",
        b"\n",
        b'{"type": "ADDED"}\n',
        b'{"type": "MODIFIED", "object": {"metadata": {"name": "x"}}}\n',
        b'{"type": "ERROR", "object": {"kind": "Status"}}\n',
        b"[]\n",
    ],
)
def test_a_frame_that_makes_no_sense_does_not_end_it(
    api: ApiServer, follower: Follower, frame: bytes
) -> None:
    until_watched(api, 1)
    api.send(frame)
    api.send(END)
    until_watched(api, 2)
    api.event("MODIFIED", endpoint_slice("runtime-python", "1002", "10.1.2.4"))
    follower.until_known(python=["10.1.2.4"])
    assert follower.alive()


def test_an_api_server_that_ends_every_watch_at_once_is_not_asked_in_a_loop(
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
