"""Servers that tests share. A missing part skips with its reason, and fails where CI is set."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
from psycopg2.extensions import set_wait_callback

from local.fetch import node
from local.fetch.command import UnavailableError
from local.fetch.rust_toolchain import ROUTES, prepare
from local.stores.postgres import PostgresServer
from local.stores.redis import RedisServer
from local.supervisor.account import KEEPER, RUNNER, Account, remove
from local.supervisor.managed_process import PartError
from runtime.languages.rust.glue import build
from runtime.languages.rust.toolchain import Toolchain
from tests.databases import Database, copy_migrated, copy_of, renew
from tests.shared import once

ROOT = Path(__file__).parent.parent


def missing(what: str, why: object = "") -> NoReturn:
    """Skips the test; fails it in CI, where nothing may be missing, and says there why it is."""
    if os.environ.get("CI"):
        pytest.fail(f"missing in CI: {what}: {why}")
    pytest.skip(what)


@pytest.fixture(scope="module", autouse=True)
def _driver_without_deadline() -> Iterator[None]:
    """Take the controller's wait callback out of psycopg2: its deadline would hold for later modules, too."""
    yield
    set_wait_callback(None)


@pytest.fixture(scope="session")
def node_program() -> str:
    """Node.js of the wheel, or the one that NODE names."""
    try:
        return node.program()
    except PartError as reason:
        missing("no Node.js", reason)


@pytest.fixture(scope="session")
def rust_toolchain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prepared toolchain of RUST_TOOLCHAIN, else the one in `.local/`, made when it is not there."""
    named = os.environ.get("RUST_TOOLCHAIN")
    folder = Path(named) if named else Account.named(RUNNER).folder(ROOT / ".local") / "rust-toolchain"

    def made() -> str:
        prepare(folder, ROUTES, print)
        build(Toolchain.load(folder), folder)
        return str(folder)

    try:
        return Path(once(tmp_path_factory, "rust-toolchain", made))
    except (UnavailableError, PermissionError) as reason:
        missing("no Rust compiler with a WASI target", reason)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """For a service's state. Not made yet; as root it becomes a link out of the closed folder of the tests."""
    yield tmp_path / "state"
    remove(tmp_path / "state")


@contextmanager
def migrated_postgres(folders: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A PostgreSQL with the newest schema and the sample functions."""
    folder = folders.mktemp("postgres")
    password = copy_migrated(Account.named(KEEPER).folder(folder))
    with PostgresServer(folder, password=password) as server:
        yield server


@pytest.fixture(scope="session")
def template_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a migrated database on a server that all tests share; it is only copied."""
    with migrated_postgres(tmp_path_factory) as server:
        yield server.url


@pytest.fixture(scope="module")
def postgres_database(template_database: str) -> Database:
    """A database for the tests of one module, so that no module meets another one's rows."""
    return copy_of(template_database)


@pytest.fixture(scope="session")
def _stoppable_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PostgresServer, str]]:
    """A server, and the name of its database's template."""
    with migrated_postgres(tmp_path_factory) as server:
        yield server, copy_of(server.url).url.rpartition("/")[2]


@pytest.fixture
def own_postgres_server(_stoppable_postgres: tuple[PostgresServer, str]) -> Iterator[PostgresServer]:
    """A PostgreSQL to stop and start. Its database is as it was migrated, and the test's alone."""
    server, template = _stoppable_postgres
    renew(server.url, template)
    yield server
    if not server.alive:
        server.start()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis that all tests share; each uses other keys."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def own_redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis to stop and start."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server
