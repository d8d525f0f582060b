"""A real API server takes every manifest, and does with the functions' pods what the admission policy says.

Not part of `make test`, since building kube-apiserver takes ten minutes: `make api-server`.
"""

import pytest

from tests.integration.deploy.kubernetes import stack
from tests.integration.deploy.kubernetes.conftest import COMPONENTS, OVERLAYS, Built
from tools.api_server.control_plane import Admin, Document

SLICES = "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices"
OPENFAAS_SETS: tuple[Document, ...] = ({}, {"readOnlyRootFilesystem": True, "runAsUser": 12000})
"""A container's security context may have something in it already, or nothing."""


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
def test_every_manifest_is_taken_without_a_warning(cluster: Admin, built: Built, folder: str) -> None:
    for document in built(folder):
        name = f"{document['kind']} {document['metadata']['name']}"
        answer = cluster.apply(document)
        assert answer.ok, f"{name}: {answer.text}"
        assert "Warning" not in answer.headers, f"{name}: {answer.headers['Warning']}"
    for document in built("overlays/prod"):
        assert cluster.apply(document).ok


@pytest.mark.parametrize("context", OPENFAAS_SETS, ids=["nothing set", "something set"])
@pytest.mark.parametrize("name", sorted(stack.functions()))
def test_a_function_gets_what_the_profile_asks_for(cluster: Admin, name: str, context: Document) -> None:
    function = stack.functions()[name]
    wanted = deployment(function, context)
    answer = cluster.create(wanted)
    assert answer.ok, answer.text
    made = answer.json()
    spec = made["spec"]["template"]["spec"]
    component = function.labels["app.kubernetes.io/component"]
    pod = cluster.create(pod_of(made))
    for kind in (wanted, pod_of(wanted)):
        cluster.delete(kind)

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


def test_what_is_not_ours_is_left_alone_and_refused(cluster: Admin) -> None:
    labels = {"faas_function": "other"}
    other = stack.Function("other", labels, frozenset(), {}, "other:1", {})
    made = cluster.create(deployment(other, {})).json()
    assert made["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 30
    account = {"kind": "ServiceAccount", "apiVersion": "v1"}
    assert cluster.apply(account | {"metadata": {"name": "default", "namespace": stack.NAMESPACE}}).ok
    assert cluster.create(pod_of(made)).status_code == 403


def test_accounts_may_do_what_they_need_and_nothing_else(cluster: Admin) -> None:
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
