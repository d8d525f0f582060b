"""The real API server as the contract of discovery needs it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.integration.controller.runtimes.discovery.contract import NAMESPACE
from tests.integration.tools.api_server.forwarder import Forwarder
from tests.waiting import until
from tools.api_server.control_plane import ControlPlane, Document

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
