"""forget_user on real servers: nothing of the one user is left, all of the other is."""

import os
import subprocess
import sys
from contextlib import closing

import psycopg2
import pytest
from redis import Redis

from controller.database.api_keys import PostgresKeys
from controller.database.forget_user import TABLES
from controller.errors import NotFound
from controller.models.registered import LanguageTitle, Script, Session
from controller.models.stored import Alias
from controller.registry.functions import FunctionCatalog
from controller.registry.writes import function_writes, script_writes
from local.stores.postgres import PostgresServer
from local.stores.redis import RedisServer
from tests.calls import execution, new_session
from tests.databases import Database
from tests.integration.controller.parts import Parts
from tests.keys import stored_key

SHARED = "result = 'shared by both'"


def begin(parts: Parts, owner: str, title: str, text: str) -> Session:
    script = Script.of(text)
    session = new_session(owner, name=LanguageTitle("python", title), script_hash=script.hash)
    parts.logger.record(*script_writes(script), *function_writes(session))
    parts.logger.flush()
    parts.begin(session)
    parts.logger.record(*execution(session))
    parts.logger.flush()
    return session


def rows_naming(url: str, owner: str) -> dict[str, int]:
    """Rows of every table that has users."""
    with closing(psycopg2.connect(url)) as opened, opened.cursor() as cursor:
        cursor.execute(TABLES)
        found = {}
        for schema, table in cursor.fetchall():
            cursor.execute(f"SELECT count(*) FROM {schema}.{table} WHERE user_id = %s", (owner,))
            ((found[table],),) = cursor.fetchall()
        return found


def scripts(url: str, *texts: str) -> int:
    with closing(psycopg2.connect(url)) as opened, opened.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM scripts WHERE script_hash = ANY(%s)", ([Script.of(t).hash for t in texts],)
        )
        ((count,),) = cursor.fetchall()
        return int(count)


def forget(subject: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "controller.database.forget_user", subject]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_one_user_is_forgotten_and_the_other_is_not(
    own_postgres_server: PostgresServer, own_redis_server: RedisServer
) -> None:
    url, redis_url = own_postgres_server.url, own_redis_server.url
    parts = Parts(url, redis_url)
    catalog = FunctionCatalog(parts.tables)
    try:
        hers = begin(parts, "alice", "hers", "result = 'only hers'")
        parts.tables.put_alias(hers.name, "alice", "live", Alias(1), 20)
        begin(parts, "alice", "shared", SHARED)
        deleted = begin(parts, "alice", "deleted", "result = 'deleted before'")
        catalog.delete(deleted.name, "alice")
        his = begin(parts, "bob", "his", SHARED)
        keys = PostgresKeys(parts.postgres)
        for user in ("alice", "bob"):
            assert keys.put_api_key(stored_key(user), 1)
        parts.cache.put_session(orphan := new_session("alice"))
        before = rows_naming(url, "bob")

        done = forget("alice", POSTGRES_URL=url, REDIS_URL=redis_url)

        assert done.returncode == 0, done.stderr
        assert set(rows_naming(url, "alice").values()) == {0}
        assert rows_naming(url, "bob") == before
        assert scripts(url, "result = 'only hers'", "result = 'deleted before'") == 0
        assert scripts(url, SHARED) == 1
        for ended in (hers, orphan):
            with pytest.raises(NotFound):
                parts.sessions.live(ended.request_id, "alice")
        assert parts.sessions.live(his.request_id, "bob") == his
        with Redis.from_url(redis_url) as redis:
            kept = [redis.hgetall(key) for key in redis.scan_iter(match="*session:*")]
            assert [fields for fields in kept if b"alice" in fields.get(b"record", b"")] == []
    finally:
        parts.close()


@pytest.mark.parametrize("missing", ["POSTGRES_URL", "REDIS_URL"])
def test_without_its_servers_nothing_is_done(postgres_database: Database, missing: str) -> None:
    urls = {"POSTGRES_URL": postgres_database.url, "REDIS_URL": "redis://127.0.0.1:1"} | {missing: ""}
    done = forget("somebody", **urls)
    assert done.returncode == 1
    assert done.stderr.startswith("forget_user: ")
    assert "Traceback" not in done.stderr
