"""The manifests, built by the real kustomize, and what they are checked with."""

import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import yaml

from local.fetch.go_programs import UnavailableError
from local.fetch.kubernetes_tools import Tools
from local.state import ROOT
from tests.conftest import missing
from tests.integration.deploy.kubernetes.schemas import Document, Schemas

DEPLOY = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("overlays/dev", "overlays/prod")
COMPONENTS = tuple(f"components/{path.name}" for path in sorted((DEPLOY / "components").iterdir()))

Built = Callable[[str], list[Document]]
"""Builds a folder below deploy/kubernetes; a component is built on the base."""


@pytest.fixture(scope="session")
def kubernetes_tools() -> Tools:
    """Kept between runs."""
    folder = ROOT / ".local" / "kubernetes"
    folder.mkdir(parents=True, exist_ok=True)
    return Tools(folder)


@pytest.fixture(scope="session")
def schemas(kubernetes_tools: Tools) -> Schemas:
    try:
        return Schemas(kubernetes_tools.schemas(), kubernetes_tools.definitions())
    except UnavailableError as reason:
        missing("no Kubernetes' schemas", reason)


@pytest.fixture(scope="session")
def built(kubernetes_tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Built:
    try:
        program = kubernetes_tools.kustomize()
    except UnavailableError as reason:
        missing("no kustomize", reason)

    def build(folder: str) -> list[Document]:
        place = DEPLOY / folder
        if folder in COMPONENTS:
            place = _on_the_base(folder, tmp_path_factory.mktemp("overlay"))
        done = subprocess.run(
            [program, "build", place], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return list(yaml.load_all(done.stdout, Loader=yaml.CSafeLoader))

    return cache(build)


def _on_the_base(component: str, folder: Path) -> Path:
    """An overlay of nothing but the base and the component."""
    paths = {
        key: [_relative(DEPLOY / one, folder)]
        for key, one in (("resources", "base"), ("components", component))
    }
    kustomization = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", **paths}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return folder


def _relative(path: Path, folder: Path) -> str:
    """From `folder`; kustomize refuses whole paths."""
    return f"{'../' * (len(folder.resolve().parts) - 1)}{path.resolve().relative_to('/')}"
