"""A dump of the database is restored by the commands of docs/deployment.md, and the next migration finds it whole."""

import subprocess
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
from psycopg2.extensions import connection

from controller.database.migrate import migrate
from local.state import ROOT
from local.stores.postgres import PostgresServer, program
from tests.integration.deploy.test_documents import commands

TABLES = ("functions", "scripts", "function_versions", "sessions", "meta.schema_version")
SESSION = """
INSERT INTO sessions (
    request_id, user_id, language, title, script_hash, compile_options, context, isolation, timeout_ms,
    retain_session, created_at, expires_at
)
SELECT 'kept', 'alice', language, title, script_hash, '{}', '{}', 'session', 1000, true, now(), now() FROM functions
LIMIT 1
"""


def run(name: str, url: str, folder: Path) -> None:
    """The page's one call of a program, for this database."""
    [words] = commands("docs/deployment.md", name)
    arguments = [word.replace("$POSTGRES_URL", url) for word in words]
    done = subprocess.run(
        [program(name), *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr


def connected(url: str) -> connection:
    opened: connection = psycopg2.connect(url)
    opened.autocommit = True
    return opened


def counts(opened: connection) -> dict[str, int]:
    with opened.cursor() as cursor:
        found = {}
        for table in TABLES:
            cursor.execute(f"SELECT count(*) FROM {table}")
            [[found[table]]] = cursor.fetchall()
        return found


def test_a_dump_brings_everything_back(own_postgres_server: PostgresServer, tmp_path: Path) -> None:
    with closing(connected(own_postgres_server.url)) as opened, opened.cursor() as cursor:
        cursor.execute(SESSION)
        cursor.execute("CREATE DATABASE restored")
        before = counts(opened)
    run("pg_dump", own_postgres_server.url, tmp_path)
    restored = urlsplit(own_postgres_server.url)._replace(path="/restored").geturl()
    run("pg_restore", restored, tmp_path)
    with closing(connected(restored)) as opened:
        assert counts(opened) == before
        assert before["sessions"] == 1
        assert migrate(opened, ROOT / "sql") == []
