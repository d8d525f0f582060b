"""All of stack.yml, deployed by faas-cli to what `make faas` starts: a script of each language from first to last."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from local.state import ROOT
from local.supervisor.account import RUNNER, Account, remove
from local.supervisor.ports import free_port
from local.token import token
from tests.integration.openfaas.build import COPIED
from tests.waiting import until

START_TIMEOUT = 120
#: Two environments are installed meanwhile.
READY_TIMEOUT = 400
STOP_TIMEOUT = 60
FUNCTIONS = {"initialize", "execute", "sessions", "functions", "health", "packages"}
RUNTIMES = {"runtime-python", "runtime-nodejs", "runtime-rust"}
RUST = """
pub fn handler(context: serde_json::Map<String, serde_json::Value>) -> Result<serde_json::Value, String> {
    let params = &context["params"];
    Ok(serde_json::json!({"sum": params["a"].as_i64().unwrap() + params["b"].as_i64().unwrap()}))
}
"""
SCRIPTS = {
    "python": "def handle(params):\n    return {'sum': params['a'] + params['b']}\n",
    "nodejs": "module.exports = async (event) => ({sum: event.params.a + event.params.b});",
    "rust": RUST,
}


class Stack:
    """`make faas`, and faas-cli beside it."""

    def __init__(self, folder: Path, state: Path, rust: Path, faas_cli: Path) -> None:
        self._folder = folder
        self._faas_cli = faas_cli
        self.output = folder / "output"
        ports = {name: str(free_port()) for name in ("FAAS_PORT", "POSTGRES_PORT", "REDIS_PORT")}
        self.url = f"http://127.0.0.1:{ports['FAAS_PORT']}"
        places = ["--state", str(state), "--rust", str(rust)]
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tools.faas_local", *places],
                cwd=ROOT,
                env=os.environ | ports | {"FAAS_BUILDS": str(folder / "build")},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.output.read_text()
        return f"ready at {self.url}" in self.output.read_text()

    def cli(self, *arguments: str) -> str:
        environment = os.environ | {"OPENFAAS_URL": self.url, "GATEWAY": self.url}
        done = subprocess.run(
            [str(self._faas_cli), *arguments],
            cwd=self._folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def available(self) -> set[str]:
        listed = requests.get(f"{self.url}/system/functions", timeout=60).json()
        return {function["name"] for function in listed if function["availableReplicas"]}

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP_TIMEOUT)


@pytest.fixture
def stack(
    faas_cli: Path, rust_toolchain: Path, node_program: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    asked = folder / "state"
    stack = Stack(folder, Account.named(RUNNER).folder(asked), rust_toolchain, faas_cli)
    try:
        until(stack.is_ready, "make faas is ready", START_TIMEOUT)
        yield stack
    finally:
        if stack.process.poll() is None:
            stack.end()
        remove(asked)


def test_every_function_serves_and_every_language_runs(stack: Stack) -> None:
    stack.cli("build", "--shrinkwrap", "-f", "stack.yml")
    stack.cli("deploy", "-f", "stack.yml")
    until(lambda: stack.available() == FUNCTIONS | RUNTIMES, "all functions serve", READY_TIMEOUT)

    secret = (stack.output.parent / "state" / "secrets" / "JWT_SECRET").read_text()
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token(secret)}"
    for language, script in SCRIPTS.items():
        ran = run(session, f"{stack.url}/function", language, script)
        assert ran == [{"sum": 42}, {"sum": 42}], language
    health = session.get(f"{stack.url}/function/health", timeout=30).json()
    assert health["components"]["runtimes"] == dict.fromkeys(("nodejs", "python", "rust", "typescript"), "ok")
    assert stack.end() == 0


def run(session: requests.Session, functions: str, language: str, script: str) -> list[object]:
    """Initialize, execute twice, and look at the session; returns the two results."""
    begun = session.post(
        f"{functions}/initialize",
        json={"script_content": script},
        headers={"Language-Title": f"{language}-adder"},
        timeout=60,
    )
    assert begun.status_code == 200, begun.text
    request_id = begun.json()["request_id"]
    answers = [
        session.post(f"{functions}/execute/{request_id}", json={"params": {"a": 2, "b": 40}}, timeout=60)
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
    assert [answer.json()["cached"] for answer in answers] == [False, True]
    seen = session.get(f"{functions}/sessions/{request_id}", timeout=30).json()
    assert (seen["status"], seen["execution_count"]) == ("active", 2)
    return [answer.json()["result"] for answer in answers]
