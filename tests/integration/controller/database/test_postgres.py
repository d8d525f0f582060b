"""Connections to PostgreSQL, and greenlets that end while they wait for an answer."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import pytest

from controller.database.postgres import Postgres
from controller.errors import StoreUnavailable
from tests.databases import Database
from tests.waiting import until_greenlets

WAITING = (
    "SELECT count(*) AS n FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'"
)


def ask(postgres: Postgres, query: str) -> int:
    with postgres.transaction() as opened, opened.cursor() as cursor:
        cursor.execute(query)
        row: Any = cursor.fetchone()
    return int(row["n"])


def test_a_greenlet_that_is_killed_while_it_waits_ends_and_leaves_its_place(
    postgres_database: Database,
) -> None:
    postgres, other = Postgres(postgres_database.url, 1, 60), Postgres(postgres_database.url, 1, 5)
    asking = gevent.spawn(ask, postgres, "SELECT pg_sleep(60)")
    until_greenlets(lambda: ask(other, WAITING) == 1, "it waits for its answer")

    asking.kill(timeout=60)

    assert isinstance(asking.value, gevent.GreenletExit)
    assert postgres.available()
    postgres.close()
    other.close()


def test_what_fails_is_rolled_back_and_the_connection_serves_on(postgres_database: Database) -> None:
    postgres = Postgres(postgres_database.url, 1, 5)
    with pytest.raises(StoreUnavailable), postgres.transaction() as opened, opened.cursor() as cursor:
        cursor.execute("CREATE TABLE half_done ()")
        raise StoreUnavailable("in the middle")

    assert ask(postgres, "SELECT count(*) AS n FROM pg_tables WHERE tablename = 'half_done'") == 0
    postgres.close()


@contextmanager
def many_files() -> Iterator[None]:
    """More descriptors are open than `select` can tell of, as where thousands of clients are connected."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        yield
    finally:
        for descriptor in opened:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_connection_is_used_again_beside_thousands_of_clients(postgres_database: Database) -> None:
    postgres = Postgres(postgres_database.url, 1, 5)
    with many_files():
        assert len({ask(postgres, "SELECT pg_backend_pid() AS n") for _ in range(3)}) == 1
    postgres.close()
