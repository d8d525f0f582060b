"""One control plane for all tests of this folder, with the manifests of `overlays/prod`."""

from collections.abc import Iterator

import pytest
import yaml

from local.fetch.go_programs import UnavailableError
from local.fetch.kubernetes_tools import Tools
from local.state import ROOT
from tests.conftest import missing
from tests.integration.deploy.kubernetes.conftest import Built, built, kubernetes_tools
from tests.waiting import until
from tools.api_server.control_plane import Admin, ControlPlane, Document, Programs

#: The two are fixtures of the manifests' own tests.
__all__ = ["built", "kubernetes_tools"]


@pytest.fixture(scope="session")
def control_plane(
    kubernetes_tools: Tools, built: Built, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlane]:
    folder = ROOT / ".local" / "api-server"
    folder.mkdir(parents=True, exist_ok=True)
    programs = Programs(folder)
    try:
        programs.etcd(), programs.kube_apiserver()
        definitions = kubernetes_tools.definitions()
    except UnavailableError as reason:
        missing("no kube-apiserver", reason)
    with ControlPlane(programs, tmp_path_factory.mktemp("cluster")) as running:
        for kind in ("gateways", "httproutes", "clusters", "externalsecrets"):
            [path] = [path for folder in definitions for path in folder.glob(f"*_{kind}.yaml")]
            define(running.admin, yaml.load(path.read_text(), Loader=yaml.CSafeLoader))
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "openfaas"}}
        for document in (namespace, *built("overlays/prod")):
            answer = running.admin.apply(document)
            assert answer.ok, answer.text
        yield running


@pytest.fixture(scope="session")
def cluster(control_plane: ControlPlane) -> Admin:
    return control_plane.admin


def define(cluster: Admin, definition: Document) -> None:
    """Defines a kind of resource, and waits until it is served."""
    assert cluster.apply(definition).ok
    spec = definition["spec"]
    version = next(one["name"] for one in spec["versions"] if one["storage"])
    path = f"/apis/{spec['group']}/{version}/{spec['names']['plural']}"
    until(lambda: cluster.ask("GET", path).ok, f"{path} is served")
