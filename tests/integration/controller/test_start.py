"""A start that a setting stops: one line, which names the variable, and the status that gunicorn does not answer with
another start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = "from controller.app import controller; controller()"
SECRETS = {"JWT_SECRET": "j" * 32, "RUNTIME_SECRET": "r" * 16}


def start(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **SECRETS, **variables}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [('[{"pattern": "a"}]', "entry 1"), ("[", "mappings.json"), (None, "mappings.json")],
)
def test_a_bad_mappings_file(tmp_path: Path, content: str | None, reason: str) -> None:
    path = tmp_path / "mappings.json"
    if content is not None:
        path.write_text(content)
    ended = start(tmp_path, RUNTIME_MAPPINGS_FILE=str(path))
    assert ended.returncode == 3
    (line,) = ended.stderr.splitlines()
    assert line.startswith("controller: RUNTIME_MAPPINGS_FILE: ")
    assert reason in line


@pytest.mark.parametrize(
    ("variables", "named"),
    [({}, "KUBERNETES_NAMESPACE"), ({"KUBERNETES_NAMESPACE": "default"}, "RUNTIME_DISCOVERY")],
)
def test_discovery_outside_of_a_cluster(tmp_path: Path, variables: dict[str, str], named: str) -> None:
    ended = start(tmp_path, RUNTIME_DISCOVERY="kubernetes", **variables)
    assert ended.returncode == 3
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"controller: {named}")


def test_a_spool_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = start(tmp_path, METRICS_PORT="0", SPOOL_DIR=str(tmp_path / "file"))
    assert ended.returncode == 3
    assert ended.stderr.splitlines() == [f"controller: SPOOL_DIR {tmp_path / 'file'}: Not a directory"]
