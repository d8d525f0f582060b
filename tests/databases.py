"""Databases of tests: each module gets one of its own, copied from a migrated one on a shared server."""

import os
from contextlib import closing
from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import get_wait_callback, set_wait_callback


@dataclass(frozen=True)
class Database:
    """A database on a PostgreSQL that other tests use too.

    Attributes:
        url: what clients connect to.
    """

    url: str


def copy_of(template_url: str) -> Database:
    """Return a copy of the template, which lives as long as the server. No connection to the template may be open."""
    server, _, template = template_url.rpartition("/")
    name = f"{template}_{os.urandom(4).hex()}"
    administer(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    return Database(f"{server}/{name}")


def administer(server: str, statement: str) -> None:
    """Run one statement outside of any transaction, in the database of administration, however long it takes."""
    # The controller's `Postgres` leaves a callback with a deadline in the driver, which holds for all connections.
    callback = get_wait_callback()
    set_wait_callback(None)
    try:
        with closing(psycopg2.connect(f"{server}/postgres")) as opened:
            opened.autocommit = True
            with opened.cursor() as cursor:
                cursor.execute(statement)
    finally:
        set_wait_callback(callback)
