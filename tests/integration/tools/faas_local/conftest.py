"""A provider, and a function that the real faas-cli made from our template."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.state import ROOT
from local.supervisor.account import RUNNER, Account, remove
from tests.integration.tools.faas_local.provider import Provider

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
