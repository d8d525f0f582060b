"""KubernetesDiscovery: the runtimes behind labelled Services, followed by list and watch.

A Service labelled `lambda-microservice/language=<language>` makes its ready endpoints runtimes of that language. The
control plane copies a Service's labels to its EndpointSlices, so only these are watched. The service account needs
`list` and `watch` on `endpointslices.discovery.k8s.io` in the namespace. An account that may write labelled Services
there can receive scripts and the runtimes' secret.
"""

import json
import logging
import random
from pathlib import Path
from time import monotonic
from typing import Any

import gevent
from kubernetes import client, watch
from kubernetes.config import ConfigException
from kubernetes.config.incluster_config import InClusterConfigLoader
from urllib3.exceptions import HTTPError

from configuration.errors import UnusableSetting
from controller.runtimes.endpoint_slices import LANGUAGE_LABEL, addresses_by_language
from controller.runtimes.selector import Addresses

log = logging.getLogger(__name__)

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
LIST_TIMEOUT = 30.0
#: Seconds after which the API server ends a watch. The next watch continues there.
WATCH_SECONDS = 60
#: Seconds beyond WATCH_SECONDS after which a silent connection is considered dead.
SILENCE = 15.0
#: First and longest pause between attempts, in seconds. It doubles each time and is jittered, so that processes
#: do not retry together.
RETRY_FIRST, RETRY_MAX = 0.5, 30.0
GONE = 410


class KubernetesDiscovery:
    """Keeps the addresses of ready runtimes. Known addresses stay while the API server is away.

    Args:
        namespace: the namespace of the Services. Empty: that of the service account.
        service_account: the folder that Kubernetes mounts into a container.

    Raises:
        UnusableSetting: this process has no service account.
    """

    complete = False

    def __init__(self, namespace: str, service_account: Path = SERVICE_ACCOUNT) -> None:
        self._namespace = namespace or _own_namespace(service_account)
        self._api = client.DiscoveryV1Api(client.ApiClient(_configuration(service_account)))
        self._slices: dict[str, dict[str, Any]] = {}
        self._addresses: Addresses = {}
        self._version = ""
        self._follower: gevent.Greenlet[[], None] | None = None

    def addresses(self) -> Addresses:
        """Return the base URLs of ready endpoints by language."""
        return self._addresses

    def start(self) -> None:
        """Start following changes, in a greenlet."""
        self._follower = gevent.spawn(self._follow)

    def close(self) -> None:
        """Stop following changes, and close the connection to the API server."""
        if self._follower is not None:
            self._follower.kill()

    def _follow(self) -> None:
        pause = RETRY_FIRST
        while True:
            begun = monotonic()
            try:
                if not self._version:
                    self._list()
                self._watch()
            except (client.ApiException, HTTPError, OSError, ValueError, KeyError, TypeError) as error:
                self._failed(error)
            except Exception:
                log.exception("Kubernetes: what it said makes no sense; what is known stays")
            # The pause is reset only after a long watch: an API server may end every watch immediately.
            pause = RETRY_FIRST if monotonic() - begun > RETRY_MAX else min(pause * 2, RETRY_MAX)
            gevent.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - no secret

    def _failed(self, error: Exception) -> None:
        if isinstance(error, client.ApiException) and error.status == GONE:
            log.info("the API server has forgotten version %s: listing anew", self._version)
            self._version = ""
        else:
            answer = isinstance(error, client.ApiException) and f"{error.status} {error.reason}"
            log.warning("Kubernetes: %s; what is known stays", answer or repr(error))

    def _list(self) -> None:
        """Fetch all slices. They replace those that were known."""
        # Not the client's objects: they refuse the `endpoints: null` of a Service without Pods.
        answer: Any = self._api.list_namespaced_endpoint_slice(
            self._namespace,
            label_selector=LANGUAGE_LABEL,
            _request_timeout=LIST_TIMEOUT,
            _preload_content=False,
        )
        document = json.loads(answer.data)
        slices = {one["metadata"]["name"]: one for one in document["items"] or ()}
        self._changed(slices)
        self._version = document["metadata"]["resourceVersion"]
        self.complete = True

    def _watch(self) -> None:
        """Follow the changes since the known version, until the API server ends the watch."""
        events = watch.Watch(return_type="object")
        for event in events.stream(
            self._api.list_namespaced_endpoint_slice,
            self._namespace,
            label_selector=LANGUAGE_LABEL,
            resource_version=self._version,
            allow_watch_bookmarks=True,
            timeout_seconds=WATCH_SECONDS,
            _request_timeout=(SILENCE, WATCH_SECONDS + SILENCE),
        ):
            if event is not None:
                self._take(event["type"], event["raw_object"])

    def _take(self, kind: str, changed: dict[str, Any]) -> None:
        metadata = changed["metadata"]
        if kind in {"ADDED", "MODIFIED"}:
            self._changed({**self._slices, metadata["name"]: changed})
        elif kind == "DELETED":
            self._changed({name: one for name, one in self._slices.items() if name != metadata["name"]})
        # A bookmark changes only the version.
        self._version = metadata["resourceVersion"]

    def _changed(self, slices: dict[str, dict[str, Any]]) -> None:
        found = addresses_by_language(slices.values())
        self._slices = slices
        if found != self._addresses:
            log.info("runtimes: %s", {language: len(addresses) for language, addresses in found.items()})
        self._addresses = found


def _own_namespace(service_account: Path) -> str:
    try:
        return (service_account / "namespace").read_text().strip()
    except OSError as error:
        raise UnusableSetting(f"KUBERNETES_NAMESPACE is not set, and there is no {error.filename}") from error


def _configuration(service_account: Path) -> client.Configuration:
    configuration = client.Configuration(retries=False)
    loader = InClusterConfigLoader(str(service_account / "token"), str(service_account / "ca.crt"))
    try:
        loader.load_and_set(configuration)
    except (ConfigException, OSError) as error:
        raise UnusableSetting(f"RUNTIME_DISCOVERY: not inside a Kubernetes cluster: {error}") from error
    return configuration
