"""The command line on the real service."""

import json
import os
import pty
import signal
import stat
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from typer.testing import CliRunner, Result

from lambda_ms import Client
from lambda_ms.cli.main import app
from local.state import ROOT
from tests.acceptance.client import ALL_SCOPES
from tests.acceptance.deployment import Deployment
from tests.waiting import PATIENCE, until

DOUBLE = '"""Doubles."""\n\n\ndef handle(params):\n    return params["n"] * 2\n'
Run = Callable[..., Result]


@pytest.fixture
def token(service: Deployment) -> str:
    return service.client().speaking_for(f"user-{uuid.uuid4()}", f"{ALL_SCOPES} keys").token


@pytest.fixture
def environment(
    service: Deployment, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    monkeypatch.chdir(tmp_path)
    settings = {
        "LAMBDA_MS_URL": service.url,
        "LAMBDA_MS_TOKEN": token,
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return {**os.environ, "PYTHONPATH": str(ROOT / "clients" / "python" / "src"), "COLUMNS": "120"}


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """Run a command. Its answer is JSON, as wherever standard output is no terminal."""

    def run(*command: str, status: int = 0, **options: Any) -> Result:
        result = CliRunner().invoke(app, command, **options)
        assert result.exit_code == status, result.output
        return result

    return run


@pytest.fixture
def python(service: Deployment, token: str) -> Iterator[Client]:
    with Client(service.url, token) as client:
        yield client


def started(environment: dict[str, str], *command: str, **options: Any) -> "subprocess.Popen[str]":
    """A command in another process, as a terminal starts it: a background shell has it ignore SIGINT."""
    program = [sys.executable, "-c", "from lambda_ms.cli.main import main; main()", *command]
    # A child inherits that a signal is ignored, but not its handler.
    heeded = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(program, env=environment, text=True, stderr=subprocess.PIPE, **options)
    finally:
        signal.signal(signal.SIGINT, heeded)


def test_from_init_to_rollback(run: Run) -> None:
    run("init", "good evening", status=2)
    run("init", "greet")
    run("init", "greet", status=2)
    first = json.loads(run("deploy", "--verify", "greet/greet.py").stdout)
    assert (first["version"], first["description"], first["tags"]) == (
        1,
        "Greets somebody by name.",
        ["example"],
    )
    assert json.loads(run("run", "python-greet", "-p", "name=you").stdout)["result"] == {
        "greeting": "Hello, you!"
    }

    script = Path("greet/greet.py")
    script.write_text(script.read_text().replace("Hello", "Good evening"))
    refused = run("deploy", "--verify", "greet/greet.py", status=1)
    assert "example the world:" in refused.stderr
    assert "replace /greeting" in refused.stderr
    run("deploy", "greet/greet.py")

    assert "+    return" in json.loads(run("diff", "python-greet").stdout)["diff"]
    split = json.loads(run("canary", "python-greet", "2", "25%").stdout)
    assert split == {"alias": "live", "version": 1, "canary": {"version": 2, "weight": 0.25}}
    assert json.loads(run("canary", "python-greet", "2", "100%").stdout) == {"alias": "live", "version": 2}
    assert json.loads(run("rollback", "python-greet").stdout) == {"alias": "live", "version": 1}
    assert "no version before 1" in run("rollback", "python-greet", status=4).stderr
    listed = json.loads(run("versions", "python-greet").stdout)
    assert [(each["version"], each["aliases"]) for each in listed] == [(2, []), (1, ["live"])]
    assert [each["title"] for each in json.loads(run("functions", "greet").stdout)] == ["greet"]


@pytest.mark.parametrize("language", ["nodejs", "typescript", "rust"])
def test_a_project_of_each_language_holds_its_examples(run: Run, language: str) -> None:
    run("init", "greet", "--language", language)
    script = next(each for each in Path("greet").iterdir() if each.suffix in {".js", ".ts", ".rs"})

    made = json.loads(run("deploy", "--verify", str(script)).stdout)

    assert (made["language"], made["description"]) == (language, "Greets somebody by name.")


def test_params_come_as_values_as_a_file_and_from_standard_input(run: Run, python: Client) -> None:
    python.put_function("python-echo", {"script_content": "def handle(params):\n    return params\n"})
    Path("params.json").write_text('{"a": 1, "b": 2}')

    def result(*options: str, **more: Any) -> object:
        return json.loads(run("run", "python-echo", *options, **more).stdout)["result"]

    assert result("-p", "a=1", "-p", "b=text", "-p", 'c={"d": [null]}') == {
        "a": 1,
        "b": "text",
        "c": {"d": [None]},
    }
    assert result("--params", "@params.json", "-p", "b=3") == {"a": 1, "b": 3}
    assert result("--params", "-", input='{"e": true}') == {"e": True}
    for wrong in ("@none.json", "{", "[]"):
        run("run", "python-echo", "--params", wrong, status=2)
    run("run", "python-echo", "-p", "a", status=2)


def test_an_error_is_drawn_below_its_line(run: Run) -> None:
    Path("double.py").write_text(DOUBLE)
    run("deploy", "double.py")

    failed = run("run", "python-double", status=1).stderr

    assert "error: KeyError: 'n'" in failed
    assert "  --> double.py:5:12\n" in failed
    assert '  5 |     return params["n"] * 2\n    |            ^\n' in failed
    Path("double.py").write_text(DOUBLE.replace("params)", "params"))
    refused = run("deploy", "double.py", status=1).stderr
    assert "  --> double.py:4:11\n  2 | \n  3 | \n  4 | def handle(params:\n    |           ^\n" in refused
    assert (
        "  --> python-double@1:5:12" in run("run", "python-double", status=1).stderr
    )  # the file is another one now


def test_failures_have_their_status_and_a_sentence(run: Run, python: Client, service: Deployment) -> None:
    python.put_function("python-slow", {"script_content": "def handle(params):\n    while True: pass\n"})
    expired = jwt.encode({"sub": "u", "exp": time.time() - 999}, service.jwt_secret, algorithm="HS256")
    powerless = service.client().speaking_for("powerless", "execute:rust").token

    assert run("run", "python-slow", "--timeout-ms", "50", status=124).stderr
    assert "no function python-none" in run("run", "python-none", status=4).stderr
    assert "operation" in run("run", "nodejs-calculator", status=2).stderr
    assert "the token has expired" in run("functions", status=3, env={"LAMBDA_MS_TOKEN": expired}).stderr
    assert "scope" in run("functions", status=3, env={"LAMBDA_MS_TOKEN": powerless}).stderr
    assert "cannot connect" in run("functions", status=5, env={"LAMBDA_MS_URL": "http://127.0.0.1:1"}).stderr
    assert "http://" in run("functions", status=3, env={"LAMBDA_MS_URL": "localhost"}).stderr
    assert "lambda-ms login" in run("functions", status=3, env={"LAMBDA_MS_URL": ""}).stderr
    assert "no language" in run("deploy", "a.php", status=2).stderr


def test_a_login_that_works_is_stored_for_its_owner_alone(run: Run, service: Deployment, token: str) -> None:
    elsewhere = {"LAMBDA_MS_URL": "", "LAMBDA_MS_TOKEN": ""}
    run("login", service.url, input="a.b.c", env=elsewhere, status=3)
    assert "signed in" in run("login", service.url, input=f"{token}\n", env=elsewhere).stderr

    (file,) = (each for each in Path("config").rglob("*") if each.is_file())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    run("functions", env=elsewhere)
    assert "BAD" not in run("doctor", env=elsewhere).stdout
    file.chmod(0o644)
    assert "readable for others" in run("doctor", env=elsewhere, status=2).stdout


def test_doctor_says_what_is_wrong(run: Run, service: Deployment) -> None:
    assert "BAD  address" in run("doctor", status=5, env={"LAMBDA_MS_URL": "http://127.0.0.1:1"}).stdout
    assert "BAD  token" in run("doctor", status=3, env={"LAMBDA_MS_TOKEN": "a.b.c"}).stdout


def test_keys_sessions_usage_and_executions(run: Run, python: Client) -> None:
    key = json.loads(run("keys", "create", "reader", "--scope", "read:functions", "--days", "1").stdout)
    assert [each["name"] for each in json.loads(run("keys", "list").stdout)] == ["reader"]
    run("keys", "revoke", key["key_id"])
    begun = python.initialize("nodejs-calculator").request_id
    assert json.loads(run("sessions", "show", begun).stdout)["status"] == "active"
    run("sessions", "end", begun)
    run("sessions", "show", begun, status=4)
    python.run("nodejs-calculator", {"operation": "add", "a": 1, "b": 2})
    until(lambda: len(json.loads(run("executions").stdout)) == 1, "the execution's row")
    assert json.loads(run("usage").stdout)["total"]["executions"] == 1
    assert json.loads(run("packages", "nodejs-calculator").stdout) == []


def test_a_terminal_gets_tables(environment: dict[str, str], python: Client) -> None:
    python.put_function("python-double", {"script_content": DOUBLE, "description": "twice \x1b[2J"})
    ours, theirs = pty.openpty()
    process = started(environment, "functions", "double", stdout=theirs)
    os.close(theirs)
    said = b""
    try:
        while chunk := os.read(ours, 4096):
            said += chunk
    except OSError:  # the end of a terminal
        pass
    os.close(ours)

    assert process.wait(PATIENCE) == 0
    assert "python-double" in said.decode()
    assert b"\x1b[2J" not in said


def test_ctrl_c_ends_a_run_with_a_word(environment: dict[str, str], python: Client) -> None:
    python.put_function("python-slow", {"script_content": "def handle(params):\n    while True: pass\n"})
    process = started(environment, "run", "python-slow", stdout=subprocess.PIPE)
    until(lambda: _connected(process.pid), "the call")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE)

    assert process.returncode == 130
    assert said == "interrupted\n"


def test_watch_deploys_what_is_written(environment: dict[str, str], python: Client) -> None:
    script = Path("double.py")
    script.write_text(DOUBLE)
    process = started(environment, "deploy", "--watch", str(script), stdout=subprocess.PIPE)
    assert process.stdout
    assert json.loads(process.stdout.readline())["version"] == 1

    script.write_text("def (")
    script.write_text(DOUBLE.replace("2", "3"))
    while (made := json.loads(process.stdout.readline()))["version"] == 1:
        pass
    process.send_signal(signal.SIGINT)

    assert "* 3" in made["script_content"]
    assert process.wait(PATIENCE) == 0


def test_executions_are_followed_until_ctrl_c(environment: dict[str, str], python: Client) -> None:
    def call(n: int) -> None:
        python.run("nodejs-calculator", {"operation": "add", "a": n, "b": 0})

    call(1)
    process = started(environment, "executions", "-f", stdout=subprocess.PIPE)
    assert process.stdout
    assert json.loads(process.stdout.readline())["result"]["value"] == 1
    call(2)
    assert (
        json.loads(process.stdout.readline())["result"]["value"] == 2
    )  # and the first one is not printed again
    process.send_signal(signal.SIGINT)

    assert process.wait(PATIENCE) == 0


def _connected(pid: int) -> bool:
    """Whether a process has a connection."""
    try:
        return any(str(each.readlink()).startswith("socket:") for each in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # it changes while it is looked at
        return False
