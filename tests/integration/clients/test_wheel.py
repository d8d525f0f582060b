"""The package installs into a clean environment, with the oldest libraries that it names, and works there."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.state import ROOT
from tests.conftest import missing

PROGRAMS = Path(sys.executable).parent


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a virtual environment that has the wheel, and nothing that it does not ask for."""
    folder = tmp_path_factory.mktemp("wheel")
    uv = shutil.which("uv", path=PROGRAMS)
    if uv is None:
        missing("no uv")
    source = folder / "source"
    shutil.copytree(ROOT / "clients" / "python", source)
    built = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(built, cwd=source, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    install: list[str | Path] = [uv, "pip", "install", "--quiet", "--python", python]
    libraries: list[str | Path] = [
        "--resolution",
        "lowest-direct",
        "--requirements",
        str(source / "pyproject.toml"),
    ]
    done = subprocess.run([*install, *libraries], capture_output=True, text=True, check=False)
    if done.returncode:
        missing("the wheel's libraries cannot be had", done.stderr)
    subprocess.run([*install, "--no-deps", wheel], check=True)
    return python.parent


def test_the_command_line_starts_and_makes_a_project(environment: Path, tmp_path: Path) -> None:
    program = environment / "lambda-ms"
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    subprocess.run([program, "run", "--help"], check=True)
    subprocess.run([program, "init", "hello"], cwd=tmp_path, check=True)
    refused = subprocess.run(
        [program, "run", "python-hello"],
        env={"LAMBDA_MS_URL": "http://127.0.0.1:1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert version.startswith("lambda-ms ")
    assert (tmp_path / "hello" / "hello.py").is_file()
    assert (refused.returncode, refused.stdout) == (5, "")
    assert "cannot connect to http://127.0.0.1:1" in refused.stderr


def test_the_library_is_typed_and_imports_both_clients(environment: Path) -> None:
    script = "import lambda_ms as m, importlib.resources as r; m.AsyncClient; print(r.files(m) / 'py.typed')"
    printed = subprocess.run(
        [environment / "python", "-c", script], capture_output=True, text=True, check=True
    )

    assert Path(printed.stdout.strip()).is_file()
