"""Servers that tests share. A missing part skips with its reason, and fails where CI is set."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import psycopg2
import pytest

from controller.database.migrate import migrate
from controller.database.samples import load_samples
from local.postgres import PostgresServer
from local.redis import RedisServer

ROOT = Path(__file__).parent.parent


def missing(reason: str) -> NoReturn:
    """Skips the test; fails it in CI, where nothing may be missing."""
    if os.environ.get("CI"):
        pytest.fail(f"missing in CI: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis that all tests share; they use keys of their own."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def own_redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis to stop and start."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A PostgreSQL that all tests share, with the newest schema."""
    with PostgresServer(tmp_path_factory.mktemp("postgres")) as server:
        prepare_database(server.url)
        yield server


@pytest.fixture
def own_postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A PostgreSQL to stop and start, with the newest schema."""
    with PostgresServer(tmp_path_factory.mktemp("postgres")) as server:
        prepare_database(server.url)
        yield server


def prepare_database(url: str) -> None:
    """The schema and the sample functions."""
    opened = psycopg2.connect(url)
    try:
        migrate(opened, ROOT / "sql")
        load_samples(opened, ROOT / "sql" / "samples")
    finally:
        opened.close()
