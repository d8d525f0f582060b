"""A Kubernetes without nodes: etcd and kube-apiserver, as real as in any cluster, on the loopback address."""

import json
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

import requests
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from local.supervisor.ports import LOOPBACK, free_port
from tests.waiting import until

Document = dict[str, Any]
ADMIN = "administrator"
START_TIMEOUT = 60.0
STOP_TIMEOUT = 30.0


class ControlPlane:
    """Runs as long as the block does; its data lie in the folder.

    Args:
        etcd: the program.
        api_server: the program.
        folder: for data, certificates and logs.
    """

    def __init__(self, etcd: Path, api_server: Path, folder: Path) -> None:
        self._programs = etcd, api_server
        self._folder = folder
        self._started: list[subprocess.Popen[bytes]] = []
        self.port = free_port()
        self.certificate = folder / "apiserver.crt"
        self._session = requests.Session()
        # Authorities that the machine's environment names are not this one's.
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {ADMIN}"

    def __enter__(self) -> "ControlPlane":
        etcd, peers = (f"http://{LOOPBACK}:{free_port()}" for _ in range(2))
        self._keys()
        self._start(
            self._programs[0],
            {
                "data-dir": self._folder / "data",
                "listen-client-urls": etcd,
                "advertise-client-urls": etcd,
                "listen-peer-urls": peers,
                "initial-advertise-peer-urls": peers,
                "initial-cluster": f"default={peers}",
            },
        )
        self._start(
            self._programs[1],
            {
                "etcd-servers": etcd,
                "bind-address": LOOPBACK,
                "secure-port": self.port,
                "cert-dir": self._folder,
                "service-account-issuer": "https://kubernetes.default.svc",
                "service-account-key-file": self._folder / "accounts.pub",
                "service-account-signing-key-file": self._folder / "accounts.key",
                "token-auth-file": self._folder / "tokens.csv",
                "authorization-mode": "RBAC",
                "service-cluster-ip-range": "10.0.0.0/24",
            },
        )
        until(self._ready, "the API server is ready", START_TIMEOUT)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in reversed(self._started):
            process.terminate()
            process.wait(STOP_TIMEOUT)

    def apply(self, document: Document) -> requests.Response:
        """Makes or changes a resource; a field that is not known is refused."""
        where = f"{self.path(document)}/{document['metadata']['name']}"
        return self.ask(
            "PATCH",
            f"{where}?fieldManager=tests&force=true&fieldValidation=Strict",
            data=json.dumps(document),
            headers={"Content-Type": "application/apply-patch+yaml"},
        )

    def create(self, document: Document) -> requests.Response:
        return self.ask("POST", f"{self.path(document)}?fieldValidation=Strict", json=document)

    def path(self, document: Document) -> str:
        """Where resources of its kind are."""
        version = document["apiVersion"]
        group = f"/apis/{version}" if "/" in version else f"/api/{version}"
        [found] = [
            one
            for one in self.ask("GET", group).json()["resources"]
            if one["kind"] == document["kind"] and "/" not in one["name"]
        ]
        namespace = f"/namespaces/{document['metadata']['namespace']}" if found["namespaced"] else ""
        return f"{group}{namespace}/{found['name']}"

    def ask(self, method: str, path: str, token: str = ADMIN, **options: Any) -> requests.Response:
        """Any call; `token` is whose it is."""
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        return self._session.request(
            method,
            f"https://{LOOPBACK}:{self.port}{path}",
            headers=headers,
            verify=str(self.certificate),
            timeout=30,
            **options,
        )

    def token_of(self, namespace: str, account: str) -> str:
        """A token as a pod of the account has it."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        return str(self.ask("POST", path, json=asked).json()["status"]["token"])

    def _ready(self) -> bool:
        assert all(process.poll() is None for process in self._started), f"see the logs in {self._folder}"
        try:
            return self.certificate.is_file() and self.ask("GET", "/readyz").status_code == 200
        except requests.ConnectionError:
            return False

    def _start(self, program: Path, options: dict[str, object]) -> None:
        arguments = [f"--{name}={value}" for name, value in options.items()]
        with (self._folder / f"{program.name}.log").open("wb") as log:
            self._started.append(
                subprocess.Popen(
                    [program, *arguments], stdout=log, stderr=subprocess.STDOUT, cwd=self._folder
                )
            )

    def _keys(self) -> None:
        """What accounts' tokens are signed with, and who may do everything."""
        private = ec.generate_private_key(ec.SECP256R1())
        (self._folder / "accounts.key").write_bytes(
            private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        (self._folder / "accounts.pub").write_bytes(
            private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        (self._folder / "tokens.csv").write_text(f'{ADMIN},admin,1,"system:masters"\n')
