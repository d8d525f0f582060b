"""The real API server as the contract of discovery needs it."""

import contextlib
import json
import select
import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from local.fetch.go_programs import UnavailableError
from local.fetch.kubernetes_tools import Tools
from local.state import ROOT
from local.supervisor.ports import LOOPBACK
from tests.conftest import missing
from tests.integration.controller.runtimes.discovery.contract import NAMESPACE
from tests.integration.deploy.kubernetes.conftest import Built, built, kubernetes_tools
from tests.waiting import until
from tools.api_server.control_plane import Admin, ControlPlane, Document, Programs

ACCOUNT = "lambda-controller"
USER = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
SLICES = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"
#: Seconds. The API server ends a watch after 60.
WATCH_TIMEOUT = 120.0


class FollowedServer:
    """Counts what the account of the controllers asks for, by the audit log.

    The follower connects by `port`, which can be closed while the API server itself stays reachable.

    Args:
        control_plane: runs, with the manifests of `overlays/prod`.
        binding: the RoleBinding that gives the account its rights.
    """

    def __init__(self, control_plane: ControlPlane, binding: Document) -> None:
        self._control_plane = control_plane
        self._admin = control_plane.admin
        self._binding = binding
        self._audited = control_plane.audit_log.stat().st_size if control_plane.audit_log.exists() else 0
        self._forwarder = Forwarder(control_plane.port)
        self._forwarder.open()

    @property
    def port(self) -> int:
        return self._forwarder.port

    @property
    def lists(self) -> int:
        return len(list(self._queries("list", "ResponseComplete")))

    @property
    def watches(self) -> Sequence[Mapping[str, str]]:
        return list(self._queries("watch", "ResponseStarted"))

    def put(self, changed: dict[str, Any]) -> int:
        answer = self._admin.create(changed)
        if answer.status_code == 409:
            answer = self._admin.ask("PUT", f"{SLICES}/{changed['metadata']['name']}", json=changed)
        assert answer.ok, answer.text
        return int(answer.json()["metadata"]["resourceVersion"])

    def delete(self, name: str) -> None:
        answer = self._admin.ask("DELETE", f"{SLICES}/{name}")
        assert answer.ok, answer.text

    def end_watch(self) -> None:
        """Waits for it: the API server ends every watch at the time that the follower has asked for."""
        ended = len(list(self._queries("watch", "ResponseComplete")))
        until(
            lambda: len(list(self._queries("watch", "ResponseComplete"))) > ended,
            "the watch has ended",
            WATCH_TIMEOUT,
        )

    def disappear(self) -> None:
        self._forwarder.close()

    def reappear(self) -> None:
        self._forwarder.open()

    def forget(self) -> None:
        """Restarts the API server: the new one has read the slices, and none of their changes before."""
        self._control_plane.restart_api_server()

    def forbid(self) -> None:
        assert self._admin.delete(self._binding).ok
        until(lambda: not self._may_list(), "the account may not list")

    def permit(self) -> None:
        answer = self._admin.apply(self._binding)
        assert answer.ok, answer.text
        until(self._may_list, "the account may list")

    def close(self) -> None:
        """Leaves the API server as it was: no slice, and the account has its rights."""
        self._forwarder.close()
        assert self._admin.ask("DELETE", SLICES).ok
        self.permit()

    def _may_list(self) -> bool:
        attributes = {
            "namespace": NAMESPACE,
            "verb": "list",
            "group": "discovery.k8s.io",
            "resource": "endpointslices",
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": USER, "resourceAttributes": attributes},
        }
        return bool(self._admin.create(review).json()["status"]["allowed"])

    def _queries(self, verb: str, stage: str) -> Iterator[dict[str, str]]:
        """The account's requests of this verb that were answered with 200."""
        with self._control_plane.audit_log.open() as log:
            log.seek(self._audited)
            for line in log:
                # The last line may not be whole yet.
                event = json.loads(line) if line.endswith("\n") else {}
                if (event.get("verb"), event.get("stage")) != (verb, stage):
                    continue
                if event["user"]["username"] == USER and event["responseStatus"]["code"] == 200:
                    query = parse_qs(urlsplit(event["requestURI"]).query)
                    yield {name: values[0] for name, values in query.items()}


CHUNK = 65536
#: Seconds between two looks whether the port is to be closed.
POLL = 0.01


class Forwarder:
    """Forwards TCP connections to the port `target` while it is open."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener: _Listener | None = None
        self.port = 0

    def open(self) -> None:
        """Accepts connections, on the same port as before."""
        self._listener = _Listener(self.port, self._target)
        self.port = self._listener.server_address[1]
        threading.Thread(target=self._listener.serve_forever, args=(POLL,), daemon=True).start()

    def close(self) -> None:
        """Breaks every connection, and accepts none."""
        if self._listener is not None:
            self._listener.shutdown()
            for connection in tuple(self._listener.connections):
                with contextlib.suppress(OSError):  # its peer has closed it
                    connection.shutdown(socket.SHUT_RDWR)
            # Waits for the threads of the connections.
            self._listener.server_close()
            self._listener = None


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True

    def __init__(self, port: int, target: int) -> None:
        super().__init__((LOOPBACK, port), _Connection)
        self.target = target
        self.connections: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)


class _Connection(socketserver.BaseRequestHandler):
    server: _Listener

    def handle(self) -> None:
        # The server may be away, and either side may reset its connection.
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, self.server.target)) as server:
            _forward(self.request, server)


def _forward(client: socket.socket, server: socket.socket) -> None:
    """Copies in both directions until one side ends."""
    other = {client: server, server: client}
    while True:
        readable, _, _ = select.select(list(other), [], [])
        for one in readable:
            data = one.recv(CHUNK)
            if not data:
                return
            other[one].sendall(data)


#: The two are fixtures of the manifests' own tests.
__all__ = ["built", "kubernetes_tools"]


@pytest.fixture(scope="session")
def control_plane(
    kubernetes_tools: Tools, built: Built, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlane]:
    folder = ROOT / ".local" / "api-server"
    folder.mkdir(parents=True, exist_ok=True)
    programs = Programs(folder)
    try:
        programs.etcd(), programs.kube_apiserver()
        definitions = kubernetes_tools.definitions()
    except UnavailableError as reason:
        missing("no kube-apiserver", reason)
    with ControlPlane(programs, tmp_path_factory.mktemp("cluster")) as running:
        for kind in ("gateways", "httproutes", "clusters", "externalsecrets"):
            [path] = [path for folder in definitions for path in folder.glob(f"*_{kind}.yaml")]
            define(running.admin, yaml.load(path.read_text(), Loader=yaml.CSafeLoader))
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "openfaas"}}
        for document in (namespace, *built("overlays/prod")):
            answer = running.admin.apply(document)
            assert answer.ok, answer.text
        yield running


@pytest.fixture(scope="session")
def cluster(control_plane: ControlPlane) -> Admin:
    return control_plane.admin


def define(cluster: Admin, definition: Document) -> None:
    """Defines a kind of resource, and waits until it is served."""
    assert cluster.apply(definition).ok
    spec = definition["spec"]
    version = next(one["name"] for one in spec["versions"] if one["storage"])
    path = f"/apis/{spec['group']}/{version}/{spec['names']['plural']}"
    until(lambda: cluster.ask("GET", path).ok, f"{path} is served")
