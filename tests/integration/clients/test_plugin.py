"""The pytest plugin starts a service for a user's tests, and ends it with them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lambda_ms.cli.main import app
from lambda_ms.testing import ServiceNotStarted, service
from local.state import ROOT


def run_tests(folder: Path, **variables: str) -> str:
    """Run the tests of a new project as its user would. Return what pytest prints."""
    assert CliRunner().invoke(app, ["init", str(folder)]).exit_code == 0
    command = [sys.executable, "-m", "pytest", "-rs", "-p", "lambda_ms.testing", "-p", "no:cacheprovider"]
    source = str(ROOT / "clients" / "python" / "src")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": source, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment | variables, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_the_tests_of_a_new_project_pass_on_a_service_of_the_checkout(tmp_path: Path) -> None:
    assert "2 passed" in run_tests(tmp_path / "hello", LAMBDA_MS_CHECKOUT=str(ROOT))


def test_without_a_service_they_are_skipped_with_a_reason(tmp_path: Path) -> None:
    said = run_tests(tmp_path / "hello")

    assert "2 skipped" in said
    assert "set LAMBDA_MS_CHECKOUT" in said


def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    python = tmp_path / ".local" / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho starting\necho the port is taken\nexit 1\n")
    python.chmod(0o755)

    with pytest.raises(ServiceNotStarted, match="the port is taken"), service(tmp_path):
        pass
