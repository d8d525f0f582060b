"""The programs of a control plane, built from Go modules. Their versions are in the go.mod of each folder."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import requests
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from local.fetch.go_programs import GoPrograms
from local.supervisor.ports import LOOPBACK, free_port
from local.supervisor.proc import wait_until

SOURCES = Path(__file__).parent
#: Seconds for one build. kube-apiserver has two thousand packages.
BUILD_TIMEOUT = 3600


@dataclass(frozen=True)
class Programs:
    """The folder with the programs, in `bin`."""

    folder: Path

    def etcd(self) -> Path:
        """Returns the program, built if need be. Raises UnavailableError."""
        return self._programs.of_package("etcd", SOURCES / "etcd", "go.etcd.io/etcd/server/v3")

    def kube_apiserver(self) -> Path:
        """Returns the program, built if need be. Raises UnavailableError."""
        return self._programs.of_package(
            "kube_apiserver", SOURCES / "kube_apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"
        )

    @property
    def _programs(self) -> GoPrograms:
        return GoPrograms(self.folder, BUILD_TIMEOUT)


Document = dict[str, Any]
#: The administrator's bearer token. The server is on the loopback address and has no data worth keeping.
TOKEN = "administrator"  # noqa: S105
#: Seconds for one request.
TIMEOUT = 30


class Admin:
    """Sends requests to the API server on `port`, and trusts its self-signed `certificate` only."""

    def __init__(self, port: int, certificate: Path) -> None:
        self._url = f"https://{LOOPBACK}:{port}"
        self._certificate = certificate
        self._session = requests.Session()
        # The machine's environment may name other certificate authorities.
        self._session.trust_env = False

    def apply(self, document: Document) -> requests.Response:
        """Creates or changes a resource. The server refuses unknown fields."""
        return self.ask(
            "PATCH",
            f"{self.path(document)}/{document['metadata']['name']}"
            "?fieldManager=tests&force=true&fieldValidation=Strict",
            data=json.dumps(document),
            headers={"Content-Type": "application/apply-patch+yaml"},
        )

    def create(self, document: Document) -> requests.Response:
        """Creates a resource. The server refuses unknown fields."""
        return self.ask("POST", f"{self.path(document)}?fieldValidation=Strict", json=document)

    def delete(self, document: Document) -> requests.Response:
        """Deletes the resource of the document's kind and name."""
        name = document["metadata"]["name"]
        return self.ask("DELETE", f"{self.path(document)}/{name}?gracePeriodSeconds=0")

    def path(self, document: Document) -> str:
        """Returns the path of the collection that the document belongs to."""
        version = document["apiVersion"]
        group = f"/apis/{version}" if "/" in version else f"/api/{version}"
        [found] = [
            one
            for one in self.ask("GET", group).json()["resources"]
            if one["kind"] == document["kind"] and "/" not in one["name"]
        ]
        namespace = f"/namespaces/{document['metadata']['namespace']}" if found["namespaced"] else ""
        return f"{group}{namespace}/{found['name']}"

    def ask(self, method: str, path: str, token: str = TOKEN, **options: Any) -> requests.Response:
        """Sends any request, as the administrator or with another account's token."""
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        return self._session.request(
            method,
            f"{self._url}{path}",
            headers=headers,
            verify=str(self._certificate),
            timeout=TIMEOUT,
            **options,
        )

    def token_of(self, namespace: str, account: str) -> str:
        """Returns a token such as a pod of the account has."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        return str(self.ask("POST", path, json=request).json()["status"]["token"])


START_TIMEOUT = 60.0
#: Seconds. An API server that is told to end waits for its open watches, up to 60 s.
STOP_TIMEOUT = 90.0
#: The audit log has every request for EndpointSlices, once when a watch begins and once when a request ends.
AUDIT_POLICY: Document = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Metadata", "resources": [{"group": "discovery.k8s.io", "resources": ["endpointslices"]}]},
        {"level": "None"},
    ],
}


class ControlPlane:
    """Runs as long as the `with` block does.

    Args:
        programs: etcd and kube-apiserver.
        folder: for data, certificates and logs.
    """

    def __init__(self, programs: Programs, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._etcd_url = f"http://{LOOPBACK}:{free_port()}"
        self._etcd: subprocess.Popen[bytes] | None = None
        self._api_server: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.certificate = folder / "apiserver.crt"
        self.audit_log = folder / "audit.log"
        self.admin = Admin(self.port, self.certificate)

    def __enter__(self) -> "ControlPlane":
        self._write_keys()
        try:
            self._etcd = self._start(self._programs.etcd(), self._etcd_options())
            self._start_api_server()
        except BaseException:
            self._stop_all()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop_all()

    def restart_api_server(self) -> None:
        """Ends the API server and starts another on the same data and port.

        The new one knows the resources as they are, and none of the changes that led there.
        """
        _stop(self._api_server)
        self._start_api_server()

    def _stop_all(self) -> None:
        _stop(self._api_server)
        _stop(self._etcd)

    def _etcd_options(self) -> dict[str, object]:
        peers = f"http://{LOOPBACK}:{free_port()}"
        return {
            "data-dir": self._folder / "data",
            "listen-client-urls": self._etcd_url,
            "advertise-client-urls": self._etcd_url,
            "listen-peer-urls": peers,
            "initial-advertise-peer-urls": peers,
            "initial-cluster": f"default={peers}",
        }

    def _start_api_server(self) -> None:
        self._api_server = self._start(
            self._programs.kube_apiserver(),
            {
                "etcd-servers": self._etcd_url,
                "bind-address": LOOPBACK,
                "secure-port": self.port,
                "cert-dir": self._folder,
                "service-account-issuer": "https://kubernetes.default.svc",
                "service-account-key-file": self._folder / "accounts.pub",
                "service-account-signing-key-file": self._folder / "accounts.key",
                "token-auth-file": self._folder / "tokens.csv",
                "authorization-mode": "RBAC",
                "service-cluster-ip-range": "10.0.0.0/24",
                "audit-policy-file": self._folder / "audit-policy.json",
                "audit-log-path": self.audit_log,
            },
        )
        if not wait_until(self._is_ready, START_TIMEOUT):
            raise TimeoutError(f"the API server is not ready after {START_TIMEOUT} s, see {self._folder}")

    def _is_ready(self) -> bool:
        for process in (self._etcd, self._api_server):
            if process is not None and process.poll() is not None:
                raise ChildProcessError(f"{process.args!r} has ended, see {self._folder}")
        try:
            return self.certificate.is_file() and self.admin.ask("GET", "/readyz").status_code == 200
        except requests.ConnectionError:
            return False

    def _start(self, program: Path, options: dict[str, object]) -> subprocess.Popen[bytes]:
        arguments = [f"--{name}={value}" for name, value in options.items()]
        with (self._folder / f"{program.name}.log").open("ab") as log:
            return subprocess.Popen(
                [program, *arguments], stdout=log, stderr=subprocess.STDOUT, cwd=self._folder
            )

    def _write_keys(self) -> None:
        """Writes the key pair that signs accounts' tokens, the administrator's token and the audit policy."""
        private = ec.generate_private_key(ec.SECP256R1())
        (self._folder / "accounts.key").write_bytes(
            private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        (self._folder / "accounts.pub").write_bytes(
            private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        (self._folder / "tokens.csv").write_text(f'{TOKEN},admin,1,"system:masters"\n')
        (self._folder / "audit-policy.json").write_text(json.dumps(AUDIT_POLICY))


def _stop(process: subprocess.Popen[bytes] | None) -> None:
    """Lets the process end in order."""
    if process is not None:
        process.terminate()
        process.wait(STOP_TIMEOUT)
