"""The provider as its own process, and the real faas-cli in front of it."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pytest
import requests

from local.state import ROOT
from local.supervisor.account import RUNNER, Account, remove
from local.supervisor.ports import free_port
from tests.processes import Process, below
from tests.waiting import until

COMMAND_TIMEOUT = 60
READY_TIMEOUT = 120
STOP_TIMEOUT = 60


class Provider:
    """A context manager: it answers when entered and is gone, with all its functions, when left.

    Args:
        state: what it keeps, also for another one later.
        checkout: the folder with `build/` in it, where faas-cli is called.
    """

    def __init__(
        self, state: Path, checkout: Path, faas_cli: Path, watchdog: Path | None, timeout: float = 20
    ) -> None:
        self.state = state
        self.checkout = checkout
        self._faas_cli = faas_cli
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        options = {"--state": state, "--builds": checkout / "build", "--port": port, "--timeout": timeout}
        options |= {"--watchdog": watchdog} if watchdog else {}
        self._command = [sys.executable, "-m", "gevent.monkey", "--module", "tools.faas_local.provider"]
        self._command += [str(word) for pair in options.items() for word in pair]
        self.process: subprocess.Popen[bytes] | None = None

    def cli(self, *arguments: str, given: str = "", status: int = 0) -> str:
        """What faas-cli says."""
        done = subprocess.run(
            [str(self._faas_cli), *arguments],
            cwd=self.checkout,
            env=os.environ | {"OPENFAAS_URL": self.url},
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_TIMEOUT,
            check=False,
        )
        assert done.returncode == status, done.stdout
        return done.stdout

    def follow_logs(self, name: str, output: Path) -> "subprocess.Popen[bytes]":
        """faas-cli as it follows a log; what it prints goes to the file."""
        with output.open("wb") as file:
            return subprocess.Popen(
                [str(self._faas_cli), "logs", name],
                env=os.environ | {"OPENFAAS_URL": self.url},
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def describe(self, name: str) -> dict[str, Any]:
        answer = requests.get(f"{self.url}/system/function/{name}?usage=1", timeout=60)
        answer.raise_for_status()
        document: dict[str, Any] = answer.json()
        return document

    def until_available(self, name: str, replicas: int = 1) -> None:
        until(lambda: self._available(name) == replicas, f"{name} has {replicas} replicas", READY_TIMEOUT)

    def _available(self, name: str) -> int | None:
        """Without what its processes use, which takes longer to tell than all else."""
        answer = requests.get(f"{self.url}/system/function/{name}", timeout=60)
        answer.raise_for_status()
        available: int | None = answer.json().get("availableReplicas")
        return available

    def call(self, path: str, **options: Any) -> requests.Response:
        return requests.request(
            options.pop("method", "GET"), f"{self.url}/function/{path}", timeout=60, **options
        )

    def tree(self) -> list[Process]:
        """Every process below it."""
        assert self.process is not None
        return below(self.process.pid)

    def start(self) -> None:
        log = self.state.with_suffix(".log")
        with log.open("ab") as output:
            self.process = subprocess.Popen(self._command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        until(self._answers, "the provider answers")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(STOP_TIMEOUT)

    def _answers(self) -> bool:
        assert self.process is not None and self.process.poll() is None
        with suppress(requests.ConnectionError):
            return requests.get(f"{self.url}/healthz", timeout=60).status_code == 200
        return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop()


FUNCTION = "greeter"
HANDLER = Path(__file__).with_name("greeter.py")
#: Mark of tests that run with and without the of-watchdog.
with_and_without_watchdog = pytest.mark.parametrize(
    "watchdog", ["alone", "of-watchdog"], indirect=True, scope="module"
)


@pytest.fixture(scope="module")
def watchdog(request: pytest.FixtureRequest) -> Path | None:
    """What stands before the functions' processes: nothing, or the of-watchdog where a test asks for it."""
    asked = getattr(request, "param", "alone")
    return None if asked == "alone" else request.getfixturevalue("of_watchdog")


@pytest.fixture(scope="session")
def checkout(faas_cli: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template, a function made from it, and its build folder."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "template", folder / "template")
    command = [str(faas_cli), "new", "--lang", "python3-gevent", FUNCTION]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    shutil.copy(HANDLER, folder / FUNCTION / "handler.py")
    shrinkwrap(folder, faas_cli)
    return folder


def shrinkwrap(folder: Path, faas_cli: Path) -> None:
    command = [str(faas_cli), "build", "--shrinkwrap", "-f", f"{FUNCTION}.yml"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One for all tests, so that the function is installed once."""
    asked = tmp_path_factory.mktemp("provider") / "state"
    yield Account.named(RUNNER).folder(asked)
    remove(asked)


@pytest.fixture(scope="module")
def provider(state: Path, checkout: Path, faas_cli: Path, watchdog: Path | None) -> Iterator[Provider]:
    with Provider(state, checkout, faas_cli, watchdog) as provider:
        yield provider


@pytest.fixture
def greeter(provider: Provider) -> Iterator[str]:
    """The function's name; it is deployed and serves, and is removed in the end."""
    provider.cli("deploy", "-f", f"{FUNCTION}.yml")
    provider.until_available(FUNCTION)
    yield FUNCTION
    provider.cli("remove", "-f", f"{FUNCTION}.yml")


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Path]:
    """A file that lets a call go on, once it is there; functions can write beside it."""
    account = Account.named(RUNNER)
    folder = account.folder(tmp_path / "gate")
    account.owns(folder)
    yield folder / "gate"
    remove(tmp_path / "gate")
