"""The tables in memory and those in PostgreSQL, for the suites that hold both."""

import uuid
from collections.abc import Iterator

import pytest

from controller.database.memory import MemoryTables
from controller.database.postgres import Postgres
from controller.database.tables import PostgresTables
from tests.contract.tables import Tables


@pytest.fixture(params=["memory", "postgres"])
def tables(request: pytest.FixtureRequest) -> Iterator[Tables]:
    if request.param == "memory":
        yield MemoryTables()
        return
    postgres = Postgres(request.getfixturevalue("postgres_database").url, size=2, timeout=60)
    yield PostgresTables(postgres)
    postgres.close()


@pytest.fixture
def owner() -> str:
    return f"user-{uuid.uuid4()}"
