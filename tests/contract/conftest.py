"""The tables in memory and those in PostgreSQL, for the suites that hold both."""

import uuid
from collections.abc import Iterator

import pytest

from controller.database.memory import MemoryTables
from controller.database.postgres import Postgres
from controller.database.tables import PostgresTables
from tests.contract.tables import Tables


@pytest.fixture(params=["memory", "postgres"])
def postgres(request: pytest.FixtureRequest) -> Iterator[Postgres | None]:
    """None: the test is one of the tables in memory."""
    if request.param == "memory":
        yield None
        return
    postgres = Postgres(request.getfixturevalue("postgres_database").url, size=2, timeout=60)
    yield postgres
    postgres.close()


@pytest.fixture
def tables(postgres: Postgres | None) -> Tables:
    return MemoryTables() if postgres is None else PostgresTables(postgres)


@pytest.fixture
def owner() -> str:
    return f"user-{uuid.uuid4()}"
