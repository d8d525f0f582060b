"""Every resource fits its schema, says of functions what stack.yml does, and gives pods no more than they need."""

import copy
import re
from typing import Any

import pytest
import yaml

from controller.runtimes.endpoint_slices import FRAMES_PORT_NAME, LANGUAGE_LABEL, PORT_NAME
from local.fetch.kubernetes_tools import KUBERNETES
from tests.integration.deploy.kubernetes import stack
from tests.integration.deploy.kubernetes.conftest import (
    COMPONENTS,
    DEPLOY,
    OVERLAYS,
    Built,
    Document,
    Schemas,
)
from tests.integration.deploy.kubernetes.test_network import selects

FOLDERS = ("base", "migration", *OVERLAYS, *COMPONENTS)
REPLICAS_MAX = 5
"""Of a function in OpenFaaS's community edition."""


def of_kind(documents: list[Document], kind: str) -> list[Document]:
    return [one for one in documents if one["kind"] == kind]


def named(documents: list[Document], kind: str, name: str) -> Document:
    [found] = [one for one in of_kind(documents, kind) if one["metadata"]["name"] == name]
    return found


def selected(selector: Document) -> set[str]:
    """The functions that a selector of pods fits."""
    return {one.name for one in stack.functions().values() if selects(selector, one.labels)}


def values(document: Any, field: str) -> list[Any]:
    """What stands under the field's name, at any depth."""
    if isinstance(document, list):
        return [found for one in document for found in values(one, field)]
    if not isinstance(document, dict):
        return []
    here = [document[field]] if field in document else []
    return here + [found for one in document.values() for found in values(one, field)]


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_resource_fits_its_schema(built: Built, schemas: Schemas, folder: str) -> None:
    documents = built(folder)
    wrong = {
        f"{one['kind']} {one['metadata']['name']}": errors
        for one in documents
        if (errors := schemas.errors(one))
    }
    assert documents
    assert wrong == {}, f"Kubernetes {KUBERNETES}"


@pytest.mark.parametrize(
    ("folder", "kind", "field"),
    [
        ("base", "HTTPRoute", "backendRequest"),
        ("base", "NetworkPolicy", "podSelector"),
        ("migration", "Job", "image"),
        ("overlays/prod", "HorizontalPodAutoscaler", "averageUtilization"),
        ("overlays/prod", "Cluster", "database"),
        ("overlays/prod", "MutatingAdmissionPolicy", "patchType"),
        ("components/external-secrets", "ExternalSecret", "remoteRef"),
    ],
)
def test_a_misspelt_field_is_refused_at_any_depth(
    built: Built, schemas: Schemas, folder: str, kind: str, field: str
) -> None:
    wrong = copy.deepcopy(of_kind(built(folder), kind)[0])
    misspell(wrong, field)
    assert any(f"{field}s" in error for error in schemas.errors(wrong))


def misspell(document: Any, field: str) -> None:
    for one in document.values() if isinstance(document, dict) else document:
        if isinstance(one, dict | list):
            misspell(one, field)
    if isinstance(document, dict) and field in document:
        document[f"{field}s"] = document.pop(field)


def test_each_function_has_one_budget_that_lets_nodes_be_drained(built: Built) -> None:
    budgets = of_kind(built("base"), "PodDisruptionBudget")
    assert sorted(name for one in budgets for name in selected(one["spec"]["selector"])) == sorted(
        stack.functions()
    )
    for budget in budgets:
        # Of any number of replicas, one included, a pod may go.
        assert budget["spec"]["maxUnavailable"] == 1
        assert "minAvailable" not in budget["spec"]


def test_what_scales_is_a_function_that_asks_for_processor_time(built: Built) -> None:
    scalers = of_kind(built("components/autoscaling"), "HorizontalPodAutoscaler")
    assert sorted(one["spec"]["scaleTargetRef"]["name"] for one in scalers) == sorted(stack.functions())
    for scaler in scalers:
        spec = scaler["spec"]
        assert 1 <= spec["minReplicas"] <= spec["maxReplicas"] <= REPLICAS_MAX
        assert stack.functions()[spec["scaleTargetRef"]["name"]].requests["cpu"]


def test_direct_calls_are_scaled_by_kubernetes(built: Built) -> None:
    """OpenFaaS's scaling counts the calls that go through its gateway."""
    for overlay in OVERLAYS:
        documents = built(overlay)
        direct = any(one["metadata"]["labels"].get(LANGUAGE_LABEL) for one in of_kind(documents, "Service"))
        assert direct == bool(of_kind(documents, "HorizontalPodAutoscaler"))


def test_each_runtime_is_discovered_by_its_language(built: Built) -> None:
    services = of_kind(built("components/discovery"), "Service")
    found = {one["metadata"]["labels"][LANGUAGE_LABEL]: one["spec"] for one in services}
    assert {f"runtime-{language}" for language in found} == {one.name for one in stack.component("runtime")}
    frames = {one.name: int(one.environment["RUNTIME_FRAMES"]) for one in stack.component("runtime")}
    for language, spec in found.items():
        assert selected({"matchLabels": spec["selector"]}) == {f"runtime-{language}"}
        assert spec["clusterIP"] == "None"
        assert [(one["name"], one["targetPort"]) for one in spec["ports"]] == [
            (PORT_NAME, stack.PORT),
            (FRAMES_PORT_NAME, frames[f"runtime-{language}"]),
        ]


def test_controllers_may_follow_endpoints_and_nothing_else(built: Built) -> None:
    documents = built("components/discovery")
    role, binding = of_kind(documents, "Role")[0], of_kind(documents, "RoleBinding")[0]
    account = named(documents, "ServiceAccount", "lambda-controller")
    assert role["rules"] == [
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]}
    ]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert [(one["kind"], one["name"]) for one in binding["subjects"]] == [
        ("ServiceAccount", account["metadata"]["name"])
    ]
    assert account["automountServiceAccountToken"] is True
    assert named(documents, "ServiceAccount", "lambda-runtime")["automountServiceAccountToken"] is False


def test_only_known_secrets_are_asked_for_and_none_is_told(built: Built) -> None:
    known = {secret for one in stack.functions().values() for secret in one.secrets}
    stored = {
        one["metadata"]["name"]
        for one in built("components/external-secrets")
        if "ExternalSecret" in one["kind"]
    }
    assert stored == known
    assert set(values(built("migration"), "secretName")) <= known
    for folder in FOLDERS:
        assert of_kind(built(folder), "Secret") == []


def test_no_image_is_whatever_is_newest(built: Built) -> None:
    images = [one.image for one in stack.functions().values()]
    for folder in FOLDERS:
        images += [one for field in ("image", "imageName") for one in values(built(folder), field)]
    for image in images:
        tag = image.rpartition("/")[2].partition(":")[2]
        assert tag[:1].isdigit(), image


def test_the_migration_is_of_the_release_that_stack_yml_deploys(built: Built) -> None:
    [job] = built("migration")
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert container["image"] == stack.functions()["initialize"].image
    # faas-cli lays what it copies beside the handler.
    folder = container["command"][container["command"].index("--folder") + 1]
    assert folder.removeprefix("function/") in stack.copied()


def test_limits_of_time_grow_outward(built: Built) -> None:
    values_of_chart = yaml.safe_load((DEPLOY / "openfaas-values.yaml").read_text())["gateway"]
    gateway = [int(values_of_chart[name].removesuffix("s")) for name in ("upstreamTimeout", "writeTimeout")]
    route = named(built("base"), "HTTPRoute", "lambda-microservice")
    timeouts = {
        (rule["timeouts"]["backendRequest"], rule["timeouts"]["request"]) for rule in route["spec"]["rules"]
    }
    [(backend, request)] = timeouts
    slowest = max(one.seconds("write_timeout") for one in stack.functions().values())
    assert (
        slowest < gateway[0] < gateway[1] < int(backend.removesuffix("s")) <= int(request.removesuffix("s"))
    )


LEVEL = "pod-security.kubernetes.io/enforce"
POLICY = "lambda-function-pods"


def pods(documents: list[Document]) -> list[Document]:
    workloads = of_kind(documents, "Job") + of_kind(documents, "Deployment")
    return [one["spec"]["template"]["spec"] for one in workloads]


@pytest.mark.parametrize("folder", ["migration", *OVERLAYS])
def test_our_own_pods_fit_the_restricted_profile(built: Built, folder: str) -> None:
    found = pods(built(folder))
    assert found
    for pod in found:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert {next(iter(volume.keys() - {"name"})) for volume in pod["volumes"]} == {"secret"}
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]


def test_the_profile_is_enforced_where_the_policy_makes_pods_fit_it(built: Built) -> None:
    for folder in ("base", *OVERLAYS):
        documents = built(folder)
        restricted = (
            named(documents, "Namespace", stack.NAMESPACE)["metadata"]["labels"][LEVEL] == "restricted"
        )
        assert restricted == bool(of_kind(documents, "MutatingAdmissionPolicy"))


def test_functions_have_the_time_to_end(built: Built) -> None:
    policy = named(built("components/function-pods"), "MutatingAdmissionPolicy", POLICY)
    text = policy["spec"]["mutations"][0]["applyConfiguration"]["expression"]
    granted = int(re.findall(r"terminationGracePeriodSeconds: (\d+)", text)[0])
    assert max(one.ending for one in stack.functions().values()) < granted


def test_openfaas_standard_grants_the_time_to_end() -> None:
    """It gives a pod as long as its write_timeout says."""
    for function in stack.functions().values():
        assert function.ending <= function.seconds("write_timeout"), function.name


def test_the_policy_gives_accounts_that_are_there(built: Built) -> None:
    documents = built("components/function-pods")
    accounts = {one["metadata"]["name"] for one in of_kind(documents, "ServiceAccount")}
    components = {one.labels["app.kubernetes.io/component"] for one in stack.functions().values()}
    assert accounts == {f"lambda-{component}" for component in components}
    binding = named(documents, "MutatingAdmissionPolicyBinding", POLICY)
    assert binding["spec"]["policyName"] == POLICY
