"""The real faas-cli and of-watchdog, and build folders made by them, once for all tests."""

from pathlib import Path

import pytest

from local.fetch.go_programs import UnavailableError
from local.fetch.openfaas_tools import Tools
from local.fetch.wheels import collect
from tests.conftest import missing
from tests.integration.openfaas.build import ROOT, TEMPLATE, Build
from tests.integration.openfaas.served import Serve, Served

GENERIC = "echo"
HANDLER = Path(__file__).with_name("echo_handler.py")


@pytest.fixture(scope="session")
def tools() -> Tools:
    """Kept between runs, since building them takes a minute."""
    folder = ROOT / ".local" / "openfaas"
    folder.mkdir(parents=True, exist_ok=True)
    return Tools(folder)


@pytest.fixture(scope="session")
def build(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The whole stack, shrinkwrapped, and a function that faas-cli made from the template."""
    try:
        faas_cli = tools.faas_cli()
    except UnavailableError as reason:
        missing(f"faas-cli: {reason}")
    made = Build(tmp_path_factory.mktemp("checkout"), faas_cli, collect(ROOT / ".local" / "wheels"))
    made.shrinkwrap()
    made.faas("new", "--lang", TEMPLATE, GENERIC)
    (made.folder / GENERIC / "handler.py").write_text(HANDLER.read_text())
    made.shrinkwrap(f"{GENERIC}.yml")
    return made


@pytest.fixture(scope="module", params=["gunicorn", "of-watchdog"])
def watchdog(request: pytest.FixtureRequest, tools: Tools) -> Path | None:
    """What stands before the function: nothing, or the of-watchdog."""
    if request.param == "gunicorn":
        return None
    try:
        return tools.watchdog()
    except UnavailableError as reason:
        # The one part that may be missing in CI as well: see docs/adr/0005-of-watchdog-from-outside.md.
        pytest.skip(f"of-watchdog: {reason}")


@pytest.fixture(scope="module")
def serve(build: Build, watchdog: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Serve:
    """Makes a function of the stack ready to be started from its own build folder and environment."""

    def prepared(function: str, library: str = "", variables: dict[str, str] | None = None) -> Served:
        environment = build.installed(function, library)
        scratch = tmp_path_factory.mktemp(function)
        return Served(build.context(function), environment, scratch, variables, watchdog)

    return prepared
