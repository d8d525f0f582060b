"""stack.yml and the template, processed by the real faas-cli."""

import re

import pytest
import yaml

from tests.integration.openfaas.build import ROOT, TEMPLATE, Build
from tests.integration.openfaas.conftest import GENERIC

CONTROLLER = {"initialize", "execute", "sessions", "functions", "health"}
RUNTIMES = {"runtime-nodejs", "runtime-python", "runtime-rust"}
FUNCTIONS = {*CONTROLLER, *RUNTIMES, "packages"}


@pytest.fixture(scope="module")
def manifests(build: Build) -> dict[str, str]:
    """Return what would be deployed: each function's name and its document."""
    documents = build.faas("generate", "--yaml", "stack.yml").split("---\n")
    named = [(re.search(r"^  name: (\S+)$", document, re.MULTILINE), document) for document in documents]
    return {name[1]: document for name, document in named if name}


def test_each_function_has_a_build_folder_with_both_libraries(build: Build) -> None:
    for function in FUNCTIONS:
        context = build.context(function)
        assert (context / "Dockerfile").is_file()
        assert (context / "function" / "handler.py").is_file(), function
        assert (context / "function" / "pyproject.toml").is_file()
        assert (context / "function" / "requirements.txt").is_file()


def test_the_same_handlers_serve_the_checkout(build: Build) -> None:
    for function in FUNCTIONS:
        deployed = build.context(function) / "function" / "handler.py"
        local = ROOT / "function" / function.replace("-", "_") / "handler.py"
        assert deployed.read_text() == local.read_text()


def test_the_stack_can_be_deployed(manifests: dict[str, str]) -> None:
    assert manifests.keys() == FUNCTIONS
    for name, document in manifests.items():
        secrets = set(re.findall(r"^  - (\S+)$", document, re.MULTILINE))
        files = set(re.findall(r"_FILE: /var/openfaas/secrets/(\S+)$", document, re.MULTILINE))
        assert secrets == files, name
        assert f"image: lambda-microservice/{name}:0.1.0" in document


def test_the_time_limits_grow_outward(manifests: dict[str, str]) -> None:
    def seconds(name: str, variable: str) -> int:
        found = re.search(rf'^    {variable}: "?(\d+)', manifests[name], re.MULTILINE)
        assert found is not None, f"{name} has no {variable}"
        return int(found[1])

    script = seconds("execute", "SCRIPT_TIMEOUT_MAX") / 1000
    for runtime in RUNTIMES:
        assert script < seconds(runtime, "exec_timeout") < seconds(runtime, "write_timeout")
        assert seconds(runtime, "exec_timeout") < seconds("execute", "exec_timeout")
    for function in {*CONTROLLER, "packages"}:
        assert seconds(function, "exec_timeout") < seconds(function, "write_timeout") < 60


def test_a_new_function_starts_from_the_template(build: Build) -> None:
    made = build.folder / GENERIC
    started_from = ROOT / "template" / TEMPLATE / "function"

    assert {path.name for path in made.iterdir()} == {path.name for path in started_from.iterdir()}
    assert (made / "requirements.txt").read_text() == (started_from / "requirements.txt").read_text()


def test_the_image_starts_the_command_of_the_template(build: Build) -> None:
    template = yaml.safe_load((build.context(GENERIC) / "template.yml").read_text())
    dockerfile = (build.context(GENERIC) / "Dockerfile").read_text()

    assert f'fprocess="{template["fprocess"]}"' in dockerfile
