"""A real API server takes every manifest, and does with the functions' pods what the admission policy says.

Not part of `make test`, since building kube-apiserver takes ten minutes: `make api-server`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from local.fetch.go_programs import UnavailableError
from local.fetch.kubernetes_tools import Tools
from local.state import ROOT
from local.supervisor.ports import LOOPBACK
from tests.conftest import missing
from tests.integration.deploy.kubernetes import stack
from tests.integration.deploy.kubernetes.api_server.control_plane import ControlPlane, Document
from tests.integration.deploy.kubernetes.conftest import COMPONENTS, OVERLAYS, Built
from tests.waiting import until

FOLLOWER = ROOT / "tests/integration/controller/runtimes/discovery/follower.py"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices"
OPENFAAS_SETS: tuple[Document, ...] = ({}, {"readOnlyRootFilesystem": True, "runAsUser": 12000})
"""A container's security context may have something in it already, or nothing."""


@pytest.fixture(scope="module")
def cluster(
    kubernetes_tools: Tools, built: Built, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlane]:
    """With the definitions of others' resources, and all of `overlays/prod`."""
    try:
        etcd, api_server = kubernetes_tools.etcd(), kubernetes_tools.api_server()
        folders = kubernetes_tools.definitions()
    except UnavailableError as reason:
        missing(f"kube-apiserver: {reason}")
    with ControlPlane(etcd, api_server, tmp_path_factory.mktemp("cluster")) as running:
        for kind in ("gateways", "httproutes", "clusters", "externalsecrets"):
            [path] = [path for folder in folders for path in folder.glob(f"*_{kind}.yaml")]
            define(running, yaml.load(path.read_text(), Loader=yaml.CSafeLoader))
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "openfaas"}}
        assert running.apply(namespace).ok
        for document in built("overlays/prod"):
            answer = running.apply(document)
            assert answer.ok, answer.text
        yield running


def define(cluster: ControlPlane, definition: Document) -> None:
    """Makes a kind of resource known, and waits until it is served."""
    assert cluster.apply(definition).ok
    spec = definition["spec"]
    version = next(one["name"] for one in spec["versions"] if one["storage"])
    path = f"/apis/{spec['group']}/{version}/{spec['names']['plural']}"
    until(lambda: cluster.ask("GET", path).ok, f"{path} is served")


def deployment(function: stack.Function, context: Document) -> Document:
    """A function's, as far as OpenFaaS's documentation tells."""
    container = {"name": function.name, "image": function.image, "securityContext": context}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": function.name, "namespace": stack.NAMESPACE, "labels": function.labels},
        "spec": {
            "selector": {"matchLabels": {"faas_function": function.name}},
            "template": {"metadata": {"labels": function.labels}, "spec": {"containers": [container]}},
        },
    }


def pod_of(deployment: Document) -> Document:
    metadata = deployment["metadata"] | {"name": f"{deployment['metadata']['name']}-1"}
    kept = {name: metadata[name] for name in ("name", "namespace", "labels")}
    spec = deployment["spec"]["template"]["spec"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": kept, "spec": spec}


@pytest.mark.parametrize("folder", ["migration", *OVERLAYS, *COMPONENTS])
def test_every_manifest_is_taken_without_a_warning(cluster: ControlPlane, built: Built, folder: str) -> None:
    for document in built(folder):
        name = f"{document['kind']} {document['metadata']['name']}"
        answer = cluster.apply(document)
        assert answer.ok, f"{name}: {answer.text}"
        assert "Warning" not in answer.headers, f"{name}: {answer.headers['Warning']}"
    for document in built("overlays/prod"):
        assert cluster.apply(document).ok


@pytest.mark.parametrize("context", OPENFAAS_SETS, ids=["nothing set", "something set"])
@pytest.mark.parametrize("name", sorted(stack.functions()))
def test_a_function_gets_what_the_profile_asks_for(
    cluster: ControlPlane, name: str, context: Document
) -> None:
    function = stack.functions()[name]
    wanted = deployment(function, context)
    answer = cluster.create(wanted)
    assert answer.ok, answer.text
    made = answer.json()
    spec = made["spec"]["template"]["spec"]
    component = function.labels["app.kubernetes.io/component"]
    pod = cluster.create(pod_of(made))
    for kind in (wanted, pod_of(wanted)):
        cluster.ask("DELETE", f"{cluster.path(kind)}/{kind['metadata']['name']}?gracePeriodSeconds=0")

    assert "Warning" not in answer.headers
    assert spec["containers"][0]["securityContext"] == {
        **context,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["serviceAccountName"] == f"lambda-{component}"
    assert spec["terminationGracePeriodSeconds"] > function.ending
    assert pod.status_code == 201, pod.text
    # A volume with a token is what the API server adds where an account has one.
    assert bool(pod.json()["spec"].get("volumes")) == (component == "controller")


def test_what_is_not_ours_is_left_alone_and_refused(cluster: ControlPlane) -> None:
    labels = {"faas_function": "other"}
    other = stack.Function("other", labels, frozenset(), {}, "other:1", {})
    made = cluster.create(deployment(other, {})).json()
    assert made["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 30
    account = {"kind": "ServiceAccount", "apiVersion": "v1"}
    assert cluster.apply(account | {"metadata": {"name": "default", "namespace": stack.NAMESPACE}}).ok
    assert cluster.create(pod_of(made)).status_code == 403


def test_accounts_may_do_what_they_need_and_nothing_else(cluster: ControlPlane) -> None:
    ours, elsewhere = SLICES.format(stack.NAMESPACE), SLICES.format("default")
    others = [elsewhere, *(f"/api/v1/namespaces/{stack.NAMESPACE}/{kind}" for kind in ("secrets", "pods"))]
    controller = cluster.token_of(stack.NAMESPACE, "lambda-controller")
    runtime = cluster.token_of(stack.NAMESPACE, "lambda-runtime")
    allowed = [
        cluster.ask("GET", path, controller).status_code
        for path in (ours, f"{ours}?watch=1&timeoutSeconds=1")
    ]
    denied = [cluster.ask("GET", path, controller).status_code for path in others]
    denied += [cluster.ask("GET", path, runtime).status_code for path in (ours, *others)]
    assert set(allowed) == {200}
    assert set(denied) == {403}


def test_a_controller_follows_the_runtimes(cluster: ControlPlane, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(cluster.token_of(stack.NAMESPACE, "lambda-controller"))
    (tmp_path / "namespace").write_text(stack.NAMESPACE)
    (tmp_path / "ca.crt").write_bytes(cluster.certificate.read_bytes())
    environment = os.environ | {
        "KUBERNETES_SERVICE_HOST": LOOPBACK,
        "KUBERNETES_SERVICE_PORT": str(cluster.port),
        "PYTHONPATH": str(ROOT),
    }
    told = tmp_path / "told"
    with told.open("w") as output:
        follower = subprocess.Popen([sys.executable, FOLLOWER, tmp_path], stdout=output, env=environment)
    try:
        until(lambda: knows(told, {}), "the follower knows that there is none")
        assert cluster.apply(endpoints()).ok
        until(lambda: knows(told, {"python": ["http://10.1.2.3:8080"]}), "the follower has seen the runtime")
    finally:
        follower.terminate()
        follower.wait(30)


def knows(told: Path, addresses: Document) -> bool:
    lines = told.read_text().splitlines()
    return bool(lines) and json.loads(lines[-1]) == {"complete": True, "addresses": addresses}


def endpoints() -> Document:
    """What Kubernetes makes for the Service lambda-runtime-python."""
    service = "lambda-runtime-python"
    labels = {"kubernetes.io/service-name": service, "lambda-microservice/language": "python"}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{service}-1", "namespace": stack.NAMESPACE, "labels": labels},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": stack.PORT, "protocol": "TCP"}],
        "endpoints": [{"addresses": ["10.1.2.3"], "conditions": {"ready": True}}],
    }
