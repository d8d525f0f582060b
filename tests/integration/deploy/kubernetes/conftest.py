"""What a resource may look like: Kubernetes' own JSON schemas, and the definitions that come with other resources."""

import json
import subprocess
import zipfile
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from local.fetch.go_programs import UnavailableError
from local.fetch.kubernetes_tools import KUBERNETES, Tools
from local.state import ROOT
from tests.conftest import missing

Document = dict[str, Any]

FOLDER = f"kubernetes_validate/kubernetes-json-schema/v{KUBERNETES}-local-strict"


class Schemas:
    """Checks documents; a field that no schema knows is an error.

    Args:
        wheel: has the schemas of Kubernetes' own resources.
        definitions: folders with CustomResourceDefinitions.
    """

    def __init__(self, wheel: Path, definitions: Iterable[Path]) -> None:
        self._wheel = zipfile.ZipFile(wheel)
        shared = json.loads(self._wheel.read(f"{FOLDER}/_definitions.json"))
        self._registry: Registry[Any] = Registry().with_resource(
            shared["$id"], Resource.from_contents(shared)
        )
        self._names = set(self._wheel.namelist())
        self._definitions = tuple(definitions)
        self._validators: Callable[[str, str], Draft202012Validator] = cache(self._validator)

    def errors(self, document: Document) -> list[str]:
        """What is wrong with it, each with the place; raises KeyError for a kind without a definition."""
        found = self._validators(document["apiVersion"], document["kind"]).iter_errors(document)
        return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in found]

    def _validator(self, version: str, kind: str) -> Draft202012Validator:
        custom = self._custom(version, kind)
        if custom is not None:
            return Draft202012Validator(custom)
        name = f"{FOLDER}/{kind.lower()}-{_short(version)}.json"
        if name not in self._names:
            raise KeyError(f"{version} {kind}")
        return Draft202012Validator(json.loads(self._wheel.read(name)), registry=self._registry)

    def _custom(self, version: str, kind: str) -> Document | None:
        """The schema of a CustomResourceDefinition. Its file is called `<group>_<plural>.yaml`."""
        group, _, number = version.partition("/")
        paths = [folder / f"{group}_{kind.lower()}s.yaml" for folder in self._definitions]
        for path in filter(Path.is_file, paths):
            definition = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
            [found] = [one for one in definition["spec"]["versions"] if one["name"] == number]
            schema: Document = closed(found["schema"]["openAPIV3Schema"])
            return schema
        return None


def _short(version: str) -> str:
    """`networking.k8s.io/v1` is `networking-v1` in the package's names."""
    return "-".join(part.partition(".")[0] for part in version.split("/"))


def closed(schema: Any) -> Any:
    """The schema as JSON Schema, in which an object has no fields but those that are named."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items() if key != "default"}
    if "properties" in schema and isinstance(schema["properties"], dict):
        # The definition's own `metadata` says no more than that it is an object.
        made["properties"] = {name: closed(one) for name, one in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields") and "type" in schema:
            made.setdefault("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string"):
        made["type"] = ["integer", "string"]
    return made


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
