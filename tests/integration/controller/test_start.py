"""A start that a setting stops: one line, which names the variable, and the status that gunicorn does not answer with
another start."""

import os
import subprocess
import sys
from pathlib import Path

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


def test_a_bad_mappings_file(tmp_path: Path) -> None:
    path = tmp_path / "mappings.json"
    path.write_text('[{"pattern": "a"}]')
    ended = start(tmp_path, RUNTIME_MAPPINGS_FILE=str(path))
    assert ended.returncode == 3
    (line,) = ended.stderr.splitlines()
    assert line.startswith("controller: RUNTIME_MAPPINGS_FILE: ")
    assert "entry 1" in line


def test_a_spool_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = start(tmp_path, METRICS_PORT="0", SPOOL_DIR=str(tmp_path / "file"))
    assert ended.returncode == 3
    assert ended.stderr.splitlines() == [f"controller: SPOOL_DIR {tmp_path / 'file'}: Not a directory"]
