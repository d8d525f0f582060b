"""`python -m local.monitoring`, which `make dashboards` is, as a user starts and ends it."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from local.fetch.debian_program import DebianProgram
from local.state import ROOT
from local.supervisor.account import remove
from local.supervisor.ports import LOOPBACK, free_port
from tests.integration.observability.prometheus import Api
from tests.waiting import until

END_TIMEOUT = 30


def addresses(api: Api) -> set[tuple[str, str]]:
    """Jobs, and where they are scraped."""
    targets = [target["labels"] for target in api.get("targets")["activeTargets"]]
    return {(target["job"], target["instance"]) for target in targets}


@pytest.fixture
def environment(prometheus_program: DebianProgram) -> dict[str, str]:
    return os.environ | prometheus_program.environment | {"PROMETHEUS": str(prometheus_program.path)}


def test_it_says_where_it_is_has_our_rules_and_ends_with_ctrl_c(
    environment: dict[str, str], tmp_path: Path
) -> None:
    port, output = free_port(), tmp_path / "output"
    ports = {"METRICS_PORT": str(free_port()), "RUST_METRICS_PORT": "0"}
    command = [sys.executable, "-m", "local.monitoring", "--port", str(port), "--state"]
    with output.open("w") as said:
        process = subprocess.Popen(
            [*command, tmp_path / "state"], cwd=ROOT, env=environment | ports, stdout=said
        )
    try:
        until(
            lambda: process.poll() is not None or "import the files of" in output.read_text(), "it is ready"
        )
        api = Api(f"http://127.0.0.1:{port}")
        until(lambda: len(addresses(api)) == 5, "it knows whom to scrape")
        groups, found = api.get("rules")["groups"], addresses(api)
    finally:
        process.send_signal(signal.SIGINT)
        status = process.wait(END_TIMEOUT)
        remove(tmp_path / "state")

    assert status == 0
    assert {group["name"] for group in groups} == {"lambda-microservice", "lambda-microservice-recorded"}
    assert ("controller", f"127.0.0.1:{ports['METRICS_PORT']}") in found
    assert sorted(job for job, _ in found) == ["controller", "packages", "prometheus", "runtime", "runtime"]


def test_a_port_that_is_taken_is_said(environment: dict[str, str], tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "local.monitoring", "--port", str(port), "--state"]
        done = subprocess.run(
            [*command, tmp_path / "state"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=END_TIMEOUT,
            check=False,
        )
    remove(tmp_path / "state")

    assert (done.returncode, "PROMETHEUS_PORT" in done.stdout) == (1, True), done.stdout + done.stderr
