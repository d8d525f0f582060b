"""Databases of tests: each module gets one of its own, copied from a migrated one on a shared server."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import psycopg2


@dataclass(frozen=True)
class Database:
    """A database on a PostgreSQL that other tests use too.

    Attributes:
        url: what clients connect to.
    """

    url: str


@contextmanager
def copy_of(template_url: str) -> Iterator[Database]:
    """A copy of the template for a while. No connection to the template may be open."""
    server, _, template = template_url.rpartition("/")
    name = f"{template}_{os.urandom(4).hex()}"
    administer(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield Database(f"{server}/{name}")
    finally:
        administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def administer(server: str, statement: str) -> None:
    """Runs one statement outside of any transaction, in the database of administration."""
    with closing(psycopg2.connect(f"{server}/postgres")) as opened:
        opened.autocommit = True
        with opened.cursor() as cursor:
            cursor.execute(statement)
