"""Databases of tests: copies of a migrated one, as a database on a shared server or as the data of a new server."""

import hashlib
import os
import shutil
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from psycopg2.extensions import get_wait_callback, set_wait_callback

from controller.database.migrate import load_samples, migrate
from local.state import ROOT
from local.stores.postgres import PostgresServer
from local.supervisor.account import KEEPER, Account
from tests.shared import alone, used

#: Holds the data of a stopped PostgreSQL with the newest schema, which later runs copy, too.
KEPT = ROOT / ".local" / "migrated"


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


def renew(url: str, template: str) -> None:
    """Put a copy of a template in the place of a database, whose connections end."""
    server, _, name = url.rpartition("/")
    administer(server, f"DROP DATABASE {name} WITH (FORCE)")
    administer(server, f"CREATE DATABASE {name} TEMPLATE {template}")


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


def copy_migrated(folder: Path) -> str:
    """Give a PostgreSQL that was never started the newest schema and the sample functions. Returns its password.

    A copy takes a tenth of the processor time that initdb and the migrations take.

    Args:
        folder: the one of the server, as its account sees it.
    """
    made = _migrated()
    with used(KEPT):
        subprocess.run(["cp", "--archive", str(made / "data"), str(folder / "data")], check=True)
        return (made / "password").read_text()


def _migrated() -> Path:
    """Return the folder of the server to copy; made anew after a change of the schema or of PostgreSQL."""
    keeper = Account.named(KEEPER)
    KEPT.mkdir(parents=True, exist_ok=True)
    with alone(KEPT):
        folder = keeper.folder(KEPT / "postgres")
        complete = folder / "digest"
        digest = _digest()
        if not complete.exists() or complete.read_text() != digest:
            shutil.rmtree(folder)
            server = PostgresServer(KEPT / "postgres")
            server.start()
            try:
                with closing(psycopg2.connect(server.url)) as opened:
                    migrate(opened, ROOT / "sql")
                    load_samples(opened, ROOT / "sql" / "samples")
            finally:
                server.stop()
            complete.write_text(digest)
        return folder


def _digest() -> str:
    digest = hashlib.sha256((ROOT / "requirements-local.txt").read_bytes())
    for path in sorted((ROOT / "sql").rglob("*.*")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
