"""The migration command on a real PostgreSQL, and its files' names and order."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection

from controller.database.migrate import MigrationError, migrate, read
from tests.databases import Database, administer

ROOT = Path(__file__).parents[4]
EXPECTED_TABLES = {
    ("public", "request_logs"),
    ("public", "error_logs"),
    ("public", "functions"),
    ("public", "scripts"),
    ("public", "sessions"),
    ("meta", "schema_version"),
}


@pytest.fixture
def database(postgres_database: Database) -> str:
    """The URL of an empty database."""
    server = postgres_database.url.rpartition("/")[0]
    name = f"migrations_{os.urandom(4).hex()}"
    administer(server, f"CREATE DATABASE {name}")
    return f"{server}/{name}"


@pytest.fixture
def opened(database: str) -> Iterator[connection]:
    opened = psycopg2.connect(database)
    yield opened
    opened.close()


def select(opened: connection, query: str) -> list[tuple[object, ...]]:
    with opened, opened.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Migrations of the test's own, the bookkeeping's partitions function among them."""
    (tmp_path / "V1.0.0__first.sql").write_text(
        "CREATE TABLE first (id int);"
        "CREATE FUNCTION meta.ensure_log_partitions(int) RETURNS int LANGUAGE sql AS 'SELECT 0';"
    )
    return tmp_path


def test_our_schema_is_made_from_nothing_and_once(opened: connection) -> None:
    applied = migrate(opened, ROOT / "sql")
    assert len(applied) == len(list((ROOT / "sql").glob("V*.sql")))
    tables = set(select(opened, "SELECT table_schema, table_name FROM information_schema.tables"))
    assert tables >= EXPECTED_TABLES
    assert select(opened, "SELECT 1 FROM pg_namespace WHERE nspname = 'analytics'") == [(1,)]
    months = select(
        opened,
        "SELECT to_char(now() AT TIME ZONE 'UTC' + make_interval(months => n), '\"request_logs_\"YYYY_MM') "
        "FROM generate_series(0, 3) n",
    )
    partitions = select(
        opened, "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'request_logs'::regclass"
    )
    assert set(partitions) == {*months, ("request_logs_default",)}, "partitions are made ahead"
    assert migrate(opened, ROOT / "sql") == [], "a second time nothing is left to do"


def test_a_new_file_is_applied_alone(opened: connection, folder: Path) -> None:
    migrate(opened, folder)
    (folder / "V1.1.0__second.sql").write_text("CREATE TABLE second (id int)")
    assert [migration.version for migration in migrate(opened, folder)] == ["1.1.0"]
    assert select(opened, "SELECT version FROM meta.schema_version ORDER BY version") == [
        ("1.0.0",),
        ("1.1.0",),
    ]


def test_a_changed_file_is_refused(opened: connection, folder: Path) -> None:
    migrate(opened, folder)
    (folder / "V1.0.0__first.sql").write_text("CREATE TABLE other (id int)")
    with pytest.raises(MigrationError, match=r"1\.0\.0 was applied, and its file has changed"):
        migrate(opened, folder)


def test_a_file_that_is_gone_is_refused(opened: connection, folder: Path) -> None:
    migrate(opened, folder)
    (folder / "V1.0.0__first.sql").unlink()
    with pytest.raises(MigrationError, match=r"1\.0\.0 was applied, and its file is gone"):
        migrate(opened, folder)


def test_a_file_that_comes_too_late_is_refused(opened: connection, folder: Path) -> None:
    migrate(opened, folder)
    (folder / "V0.9.0__late.sql").write_text("SELECT 1")
    with pytest.raises(MigrationError, match="older"):
        migrate(opened, folder)


def test_a_file_that_fails_leaves_nothing_behind(opened: connection, folder: Path) -> None:
    (folder / "V1.1.0__bad.sql").write_text("CREATE TABLE half (id int); SELECT 1/0;")
    with pytest.raises(psycopg2.DataError):
        migrate(opened, folder)
    assert select(opened, "SELECT version FROM meta.schema_version") == [("1.0.0",)]
    assert select(opened, "SELECT to_regclass('half')") == [(None,)]


def test_two_concurrent_migrations_run_once(database: str) -> None:
    applied: list[int] = []

    def work() -> None:
        own = psycopg2.connect(database)
        applied.append(len(migrate(own, ROOT / "sql")))
        own.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(applied) == [0, 0, 0, len(list((ROOT / "sql").glob("V*.sql")))]


def run_command(url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "controller.database.migrate"],
        cwd=ROOT,
        env=os.environ | {"POSTGRES_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_migrates_and_registers_the_samples(database: str, opened: connection) -> None:
    done = run_command(database)
    assert done.returncode == 0, done.stderr
    assert "applied 1.0.0 schemas" in done.stdout
    samples = {("nodejs", "calculator"), ("python", "text_processor"), ("rust", "data_validator")}
    assert set(select(opened, "SELECT language, title FROM functions WHERE type = 'predefined'")) == samples
    assert run_command(database).stdout == ""


def test_the_command_says_in_one_line_what_is_wrong() -> None:
    done = run_command("postgres://nobody@127.0.0.1:1/none")
    assert done.returncode == 1
    assert done.stderr.startswith("migrate: ")
    assert "Traceback" not in done.stderr


OURS = Path(__file__).parents[4] / "sql"


def test_versions_are_ordered_by_number(tmp_path: Path) -> None:
    for name in ("V1.10.0__c.sql", "V1.2.0__b_file.sql", "V1.0.0__a.sql"):
        (tmp_path / name).write_text("SELECT 1")
    migrations = read(tmp_path)
    assert [migration.version for migration in migrations] == ["1.0.0", "1.2.0", "1.10.0"]
    assert migrations[1].description == "b file"


@pytest.mark.parametrize("name", ["1.0.0__a.sql", "V1.0.0_a.sql", "Vx__a.sql", "V1.0.0__a b.sql"])
def test_a_malformed_name_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(MigrationError, match="is not named"):
        read(tmp_path)


def test_two_files_of_one_version_are_refused(tmp_path: Path) -> None:
    for name in ("V1.0__a.sql", "V1.0__b.sql"):
        (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(MigrationError, match="two files"):
        read(tmp_path)


def test_our_own_files_are_in_order() -> None:
    assert read(OURS)[0].version == "1.0.0"
