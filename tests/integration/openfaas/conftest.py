"""The real faas-cli and of-watchdog, and the build folders made by faas-cli, once for all tests."""

import os
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from local.fetch.debian_program import PackagesError, debian_program
from local.fetch.wheels import collect
from local.stores.postgres import PostgresServer
from local.stores.redis import RedisServer
from local.supervisor.account import RUNNER, Account
from runtime.languages.rust.toolchain import Toolchain
from tests.acceptance.client import Client
from tests.conftest import missing
from tests.integration.deploy import compose
from tests.integration.openfaas.build import ROOT, TEMPLATE, Build, sources_digest, surroundings
from tests.integration.openfaas.image import Machine
from tests.integration.openfaas.served import Serve, Served
from tests.integration.openfaas.stack import SECRETS, SHORT, Gateway, Stack, running, secret_files, written
from tests.shared import alone, remove_unused, used

GENERIC = "echo"
HANDLER = Path(__file__).with_name("echo_handler.py")


@pytest.fixture(scope="session")
def machine(rust_toolchain: Path, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """This machine's Python and Rust compiler, in place of the base image and Debian's packages."""
    toolchain = Toolchain.load(rust_toolchain)
    programs = [Path(sys.executable), Path(toolchain.rustc)]
    folders = [_linker(toolchain, tmp_path_factory), *(str(program.parent) for program in programs)]
    path = os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)])
    pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(collect(ROOT / ".local" / "wheels"))}
    return Machine(
        surroundings() | {"PATH": path} | pip | toolchain.environment,
        {"/usr/share/cargo/registry": toolchain.crates},
    )


def _linker(toolchain: Toolchain, folders: pytest.TempPathFactory) -> str:
    """Return the folder of a wasm-ld; rustup installs it under another name."""
    if toolchain.linker is not None and Path(toolchain.linker).name == "wasm-ld":
        return str(Path(toolchain.linker).parent)
    folder = folders.mktemp("linker")
    (folder / "wasm-ld").symlink_to(
        toolchain.linker or next(Path(toolchain.rustc).parents[1].glob("lib/rustlib/*/bin/rust-lld"))
    )
    return str(folder)


@pytest.fixture(scope="session")
def build(faas_cli: Path, machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Build]:
    """The build folders of the whole stack, and of a function that faas-cli created from the template.

    They and the images are kept for later runs on the same sources, and other processes use them too.
    """
    builds = Account.named(RUNNER).folder(ROOT / ".local") / "images"
    builds.mkdir(exist_ok=True)
    made = Build(
        builds / sources_digest(machine, faas_cli.with_name("faas-cli.sources"), HANDLER), faas_cli, machine
    )
    with alone(builds):
        for other in set(builds.iterdir()) - {made.folder}:
            remove_unused(other)
        if made.folder.exists() and not made.usable():
            remove_unused(made.folder)
        if not made.folder.exists():
            _begin(made)
        using = ExitStack()
        using.enter_context(used(made.folder))
    with using:
        yield made


def _begin(made: Build) -> None:
    made.copy_sources()
    made.shrinkwrap()
    made.faas("new", "--lang", TEMPLATE, GENERIC)
    (made.folder / GENERIC / "handler.py").write_text(HANDLER.read_text())
    made.shrinkwrap(f"{GENERIC}.yml")
    made.begun()


@pytest.fixture(scope="session")
def account() -> Account:
    """Takes the place of the images' user. It is our account if another one cannot run this Python."""
    account = Account.named(RUNNER)
    return account if account.reads(Path(sys.executable).resolve()) else Account.own()


@pytest.fixture(scope="module", params=["gunicorn", "of-watchdog"])
def watchdog(request: pytest.FixtureRequest) -> Path | None:
    """What is in front of the function: nothing, or of-watchdog."""
    return None if request.param == "gunicorn" else request.getfixturevalue("of_watchdog")


@pytest.fixture(scope="module")
def serve(build: Build, watchdog: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Serve:
    """Prepares a function to be started from its image."""

    def prepared(
        function: str, variables: Mapping[str, str] | None = None, account: Account | None = None
    ) -> Served:
        scratch = tmp_path_factory.mktemp(function)
        if account is not None:
            scratch = account.folder(scratch)
        return Served(build.made(function), scratch, variables, watchdog, account)

    return prepared


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """An empty database, for the migrations of an image."""
    with PostgresServer(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(scope="module")
def secrets(
    postgres: PostgresServer,
    redis_server: RedisServer,
    account: Account,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, str]:
    values = SECRETS | {"POSTGRES_URL": postgres.url, "REDIS_URL": redis_server.url}
    return secret_files(account.folder(tmp_path_factory.mktemp("secrets")), values)


@pytest.fixture(scope="module")
def migrated(serve: Serve, secrets: dict[str, str], account: Account) -> None:
    """The schema, created by the command of the Compose file and of the Job in Kubernetes."""
    variables = {"POSTGRES_URL_FILE": secrets["POSTGRES_URL_FILE"]}
    command = compose.project(compose.FILE, {})["services"]["migration"]["command"]
    done = serve("initialize", variables, account).run(*command)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def written_before(build: Build) -> dict[Path, int]:
    return written(build)


@pytest.fixture(scope="module")
def stack(
    build: Build,
    serve: Serve,
    secrets: dict[str, str],
    account: Account,
    migrated: None,
    written_before: dict[Path, int],
) -> Iterator[Stack]:
    with running(build, serve, secrets, SHORT, account) as stack:
        yield stack


@pytest.fixture(scope="module")
def gateway(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    try:
        haproxy = debian_program("haproxy", "haproxy", ROOT / ".local" / "haproxy")
    except PackagesError as reason:
        missing("no haproxy", reason)
    # Only the controller calls `packages`, and not through the gateway.
    addresses = {name: served.url for name, served in stack.served.items() if name != "packages"}
    with Gateway(haproxy, addresses, tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@pytest.fixture
def client(gateway: Gateway) -> Client:
    return Client(gateway.url, SECRETS["JWT_SECRET"], f"user-{uuid.uuid4()}")
