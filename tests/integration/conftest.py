"""Programs of OpenFaaS, kept between runs because building them takes a minute, and a follower of Kubernetes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.fetch.command import UnavailableError
from local.fetch.openfaas_tools import Tools
from local.state import ROOT
from tests.conftest import missing
from tests.integration.controller.runtimes.discovery.follower_process import FollowerProcess
from tests.shared import once


@pytest.fixture(scope="session")
def follower_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FollowerProcess]:
    process = FollowerProcess(tmp_path_factory.mktemp("follower"))
    yield process
    process.stop()


@pytest.fixture(scope="session")
def tools() -> Tools:
    folder = ROOT / ".local" / "openfaas"
    folder.mkdir(parents=True, exist_ok=True)
    return Tools(folder)


@pytest.fixture(scope="session")
def faas_cli(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return Path(once(tmp_path_factory, "faas-cli", lambda: str(tools.faas_cli())))
    except UnavailableError as reason:
        missing("no faas-cli", reason)


@pytest.fixture(scope="session")
def of_watchdog(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one part that may be missing in CI as well."""

    def found() -> str:
        try:
            return str(tools.watchdog())
        except UnavailableError:
            return ""

    program = once(tmp_path_factory, "of-watchdog", found)
    if not program:
        pytest.skip("no of-watchdog: docs/adr/0005-of-watchdog-from-outside.md")
    return Path(program)
