"""Migrates the database to the newest schema: `python -m controller.database.migrate`.

Files `V<version>__<description>.sql` are applied once, in the order of their versions. One transaction applies a file
and writes its row in `meta.schema_version`. An advisory lock admits one process at a time. If an applied file has
changed, the migration is refused: a change needs a new file. The command also registers the sample functions.
"""

import argparse
import hashlib
import json
import re
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection

from configuration.environment import Environment
from configuration.errors import UnusableSetting
from controller.database.postgres import QUERIES
from controller.json_schema.checks import check_schema
from controller.models.registered import Script

NAME = re.compile(r"V(\d+(?:\.\d+)*)__(\w+)\.sql")
LOCK = "lambda-microservice migrations"
MONTHS_AHEAD = 3
#: Of the scripts of sample functions.
ENDINGS = {"nodejs": ".js", "python": ".py", "rust": ".rs"}
BOOKKEEPING = """
CREATE SCHEMA IF NOT EXISTS meta;
CREATE TABLE IF NOT EXISTS meta.schema_version (
    version     text        PRIMARY KEY,
    description text        NOT NULL,
    checksum    char(64)    NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now()
);
"""


class MigrationError(Exception):
    """The files and the database contradict each other."""


@dataclass(frozen=True, slots=True)
class Migration:
    """A migration file."""

    version: str
    description: str
    sql: str

    @property
    def order(self) -> tuple[int, ...]:
        """The version as numbers, to sort by."""
        return tuple(int(part) for part in self.version.split("."))

    @property
    def checksum(self) -> str:
        """The SHA-256 of the text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read(folder: Path) -> list[Migration]:
    """Return the migrations of a folder, in order.

    Raises:
        MigrationError: a file's name is malformed, or two have one version.
    """
    migrations = []
    for path in sorted(folder.glob("*.sql")):
        match = NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path.name} is not named V<version>__<description>.sql")
        migrations.append(Migration(match[1], match[2].replace("_", " "), path.read_text()))
    migrations.sort(key=lambda migration: migration.order)
    for earlier, later in pairwise(migrations):
        if earlier.order == later.order:
            raise MigrationError(f"two files have the version {later.version}")
    return migrations


def migrate(opened: connection, folder: Path) -> list[Migration]:
    """Apply missing migrations, and create the log's partitions of the next months.

    Returns:
        The migrations that were applied.

    Raises:
        MigrationError: an applied file has changed or is gone, or a new one is older than the newest applied.
    """
    migrations = read(folder)
    opened.autocommit = True
    with opened.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext(%s))", (LOCK,))
        try:
            cursor.execute(BOOKKEEPING)
            missing = _missing(opened, migrations)
            for migration in missing:
                _apply(opened, migration)
            if migrations:
                cursor.execute("SELECT meta.ensure_log_partitions(%s)", (MONTHS_AHEAD,))
        finally:
            cursor.execute("SELECT pg_advisory_unlock(hashtext(%s))", (LOCK,))
    return missing


def _missing(opened: connection, migrations: list[Migration]) -> list[Migration]:
    with opened.cursor() as cursor:
        cursor.execute("SELECT version, checksum FROM meta.schema_version")
        applied: dict[str, str] = dict(cursor.fetchall())
    known = {migration.version: migration for migration in migrations}
    for version, checksum in applied.items():
        if version not in known:
            raise MigrationError(f"version {version} was applied, and its file is gone")
        if known[version].checksum != checksum:
            raise MigrationError(f"version {version} was applied, and its file has changed: write a new one")
    newest = max((known[version].order for version in applied), default=())
    missing = [migration for migration in migrations if migration.version not in applied]
    if missing and missing[0].order < newest:
        raise MigrationError(f"version {missing[0].version} is older than what was applied already")
    return missing


def _apply(opened: connection, migration: Migration) -> None:
    opened.autocommit = False
    try:
        with opened, opened.cursor() as cursor:
            cursor.execute(migration.sql)
            cursor.execute(
                "INSERT INTO meta.schema_version (version, description, checksum) VALUES (%s, %s, %s)",
                (migration.version, migration.description, migration.checksum),
            )
    finally:
        opened.autocommit = True


def load_samples(opened: connection, folder: Path) -> list[str]:
    """Register the predefined functions, which every user sees. A changed function gets a new version.

    Args:
        opened: the database.
        folder: has files `<language>-<title>.json` beside their scripts.

    Returns:
        The names that are new or have a new version.
    """
    registered = []
    for description in sorted(folder.glob("*.json")):
        language, _, title = description.stem.partition("-")
        about = json.loads(description.read_text())
        for schema in about["schema"].values():
            check_schema(schema)
        script = Script.of(description.with_suffix(ENDINGS[language]).read_text())
        with opened:
            QUERIES.put_script(opened, script_hash=script.hash, script_content=script.content)
            version = QUERIES.put_predefined_function(
                opened,
                language=language,
                title=title,
                description=about["description"],
                tags=about["tags"],
                schema=json.dumps(about["schema"]),
                examples=json.dumps(about["examples"]),
                script_hash=script.hash,
            )
        if version is not None:
            registered.append(description.stem)
    return registered


def main() -> int:
    """Migrate the database at POSTGRES_URL. Return the exit code."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--folder", type=Path, default=Path("sql"), help="where the files are (sql)")
    folder = arguments.parse_args().folder
    try:
        opened = psycopg2.connect(Environment().require("POSTGRES_URL"))
        try:
            for migration in migrate(opened, folder):
                print(f"applied {migration.version} {migration.description}")
            for name in load_samples(opened, folder / "samples"):
                print(f"registered {name}")
        finally:
            opened.close()
    except (MigrationError, UnusableSetting, psycopg2.Error, OSError) as error:
        print(f"migrate: {str(error).strip()}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
