"""The examples of docs/clients.md work."""

import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lambda_ms import Client
from lambda_ms.cli.main import app
from local.state import ROOT
from tests.acceptance.client import ALL_SCOPES
from tests.acceptance.deployment import Deployment

PAGE = (ROOT / "docs" / "clients.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Yield the commands of a session, and what the page shows below each."""
    for part in block.split("$ ")[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


@pytest.fixture
def token(service: Deployment) -> str:
    return service.client().speaking_for(f"user-{uuid.uuid4()}", f"{ALL_SCOPES} keys").token


def test_the_examples_in_python_work(
    service: Deployment, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["init", "hello"]).exit_code == 0
    shutil.copy("hello/hello.py", "hello.py")
    names = {"URL": service.url, "TOKEN": token}
    for example in blocks("python"):
        exec(example, names)

    with Client(service.url, token) as client:
        names["test_it_greets"](client)  # type: ignore[operator]


def test_the_session_works(
    service: Deployment, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    compared = 0
    for command, shown in commands(blocks("console")[0]):
        before, _, line = command.rpartition("lambda-ms ")
        if not line.startswith(("login", "init", "deploy", "run", "diff", "rollback")):
            subprocess.run(["bash", "-euc", command], check=True)
            continue
        arguments = line.replace("http://127.0.0.1:8080", service.url).split()
        done = CliRunner().invoke(app, arguments, input=token if before else None)
        assert done.exit_code == (1 if shown.startswith("error") else 0), done.output
        if shown.startswith("error"):
            compared += 1
            assert done.stderr == shown
    assert compared == 1
