"""What pods may do: ours by their manifests, the functions' by what the admission policy sets."""

import re

import pytest

from tests.integration.deploy.kubernetes import stack
from tests.integration.deploy.kubernetes.conftest import OVERLAYS, Built
from tests.integration.deploy.kubernetes.schemas import Document
from tests.integration.deploy.kubernetes.test_manifests import named, of_kind

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
