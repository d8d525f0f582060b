"""tools/checks/stack.schema.json: `make lint` refuses in stack.yml what faas-cli would ignore."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.state import ROOT

SCHEMA = ROOT / "tools" / "checks" / "stack.schema.json"
STACK = (ROOT / "stack.yml").read_text()
#: What is written, the mistake in its place, and the path that the checker names.
MISTAKES = [
    ("readonly_root_filesystem:", "read_only_root_filesystem:", "$.functions.initialize"),
    ("configuration:\n", "configurations:\n", "$"),
    ("  copy:", "  copies:", "$.configuration"),
    ("  gateway:", "  url:", "$.provider"),
    ("      memory: 128Mi", "      mem: 128Mi", "$.functions.initialize.requests"),
    ("      memory: 128Mi", "      memory: 128M", "$.functions.initialize.requests.memory"),
    ('METRICS_PORT: "9090"', "METRICS_PORT: 9090", "$.functions.initialize.environment.METRICS_PORT"),
    ('scale.max: "5"', 'scale.max: "6"', "$.functions.initialize.labels['com.openfaas.scale.max']"),
    ('com.openfaas.scale.factor: "20"', 'com.openfaas.scale.zero: "true"', "$.functions.initialize.labels"),
    (
        "    build_args: &controller-build\n      LIBRARY: controller",
        "    build_args: &controller-build\n      - LIBRARY=controller",
        "$.functions.initialize.build_args",
    ),
]
SIXTEEN = STACK + "".join(f"  f{n}: {{lang: x, handler: ./f, image: f:1}}\n" for n in range(8))
NOT_YAML = STACK.replace("version: 1.0", "version: [", 1)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one run of the checker says of all mistaken files, which are named by their number."""
    folder = tmp_path_factory.mktemp("stacks")
    texts = [STACK.replace(written, mistaken, 1) for written, mistaken, _ in MISTAKES]
    files = [folder / f"{number}.yml" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    (folder / "sixteen.yml").write_text(SIXTEEN)
    (folder / "not-yaml.yml").write_text(NOT_YAML)
    done = _check(*sorted(folder.iterdir()), "--output-format", "json")
    assert done.returncode == 1, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _check(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", SCHEMA, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _paths(report: dict[str, Any], name: str) -> list[str]:
    return [error["path"] for error in report["errors"] if Path(error["filename"]).name == name]


def test_ours_has_no_mistake() -> None:
    assert _check(ROOT / "stack.yml").returncode == 0


@pytest.mark.parametrize("number", range(len(MISTAKES)), ids=[mistaken for _, mistaken, _ in MISTAKES])
def test_a_mistake_is_reported_with_its_path(report: dict[str, Any], number: int) -> None:
    written, _, path = MISTAKES[number]
    assert written in STACK

    assert path in _paths(report, f"{number}.yml")


def test_a_sixteenth_function_is_too_many(report: dict[str, Any]) -> None:
    assert _paths(report, "sixteen.yml") == ["$.functions"]


def test_a_file_that_is_not_yaml_is_refused(report: dict[str, Any]) -> None:
    assert [Path(error["filename"]).name for error in report["parse_errors"]] == ["not-yaml.yml"]
