"""The administrator's client of the API server: it may do everything."""

import json
from pathlib import Path
from typing import Any

import requests

from local.supervisor.ports import LOOPBACK

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
