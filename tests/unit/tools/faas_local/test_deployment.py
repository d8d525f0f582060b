"""What faas-cli sends when it deploys."""

import pytest

from tools.faas_local.deployment import Deployment, require_namespace
from tools.faas_local.refusal import Refused

FULL = {
    "service": "mine",
    "image": "mine:latest",
    "envProcess": "serve",
    "envVars": {"A": "1"},
    "secrets": ["s"],
    "labels": {"com.openfaas.scale.min": "2", "com.openfaas.scale.max": "3"},
    "annotations": {"topic": "x"},
    "limits": {"memory": "1Gi"},
    "requests": {"cpu": "100m"},
    "constraints": ["c"],
    "readOnlyRootFilesystem": True,
}


def test_it_is_kept_as_it_came() -> None:
    document = Deployment.from_json(FULL | {"namespace": "openfaas-fn", "registryAuth": "ignored"}).to_json()
    assert document == FULL


def test_what_go_leaves_empty_is_empty() -> None:
    sparse = Deployment.from_json({"service": "mine", "image": "x", "labels": None, "envVars": None})
    assert (sparse.labels, sparse.variables, sparse.secrets) == ({}, {}, ())
    assert (sparse.minimum, sparse.maximum) == (1, 5)


def test_labels_say_how_many_replicas() -> None:
    deployment = Deployment.from_json(FULL)
    assert (deployment.minimum, deployment.maximum) == (2, 3)
    with pytest.raises(Refused, match=r"com\.openfaas\.scale\.max is no number: many"):
        _ = Deployment.from_json(FULL | {"labels": {"com.openfaas.scale.max": "many"}}).maximum


@pytest.mark.parametrize("service", ["", "../x", "a/b", "a.b", "-a", "x" * 64, "a\n"])
def test_a_name_is_no_path(service: str) -> None:
    with pytest.raises(Refused, match="service"):
        Deployment.from_json({"service": service, "image": "x"})


def test_there_is_one_namespace() -> None:
    for name in (None, "", "openfaas-fn"):
        require_namespace(name)
    with pytest.raises(Refused, match="not staging-fn"):
        require_namespace("staging-fn")
