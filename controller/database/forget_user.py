"""Removes all of one user's data: `python -m controller.database.forget_user SUB`.

In PostgreSQL at POSTGRES_URL it deletes the user's rows in every table with users, the versions of their functions,
and their scripts and artifacts, unless another user's rows refer to these. In Redis at REDIS_URL it deletes the
user's sessions, which ends them in every process, and the cached results of all users: a result's key does not show
its owner.

Revoke the user's tokens first. Other data expires: answers of an Idempotency-Key within a day, idle workers and
scripts in a runtime's memory and on its disk when space is needed. Log records that are still queued are written
later: if PostgreSQL was away, run this again.
"""

import argparse
import json
import sys

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection
from redis import Redis
from redis.exceptions import RedisError

from configuration.environment import Environment
from configuration.errors import UnusableSetting
from controller.models.formats import FORMAT, PREVIOUS
from controller.models.registered import now

#: Every table with a column `user_id`, so new tables are included.
TABLES = """
SELECT nspname, relname FROM pg_attribute
JOIN pg_class ON pg_class.oid = attrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE attname = 'user_id' AND relkind IN ('r', 'p') AND NOT relispartition AND NOT attisdropped
    AND nspname NOT IN ('pg_catalog', 'information_schema')
-- `functions` first: deleting there writes to `function_numbers`. Then `pending`: what is moved from there while this
-- runs is deleted with the table that it came to.
ORDER BY relname <> 'functions', relname <> 'pending', nspname, relname
"""
SCRIPTS = """
SELECT script_hash FROM sessions WHERE user_id = %(sub)s
UNION SELECT script_hash FROM functions WHERE user_id = %(sub)s
UNION SELECT v.script_hash FROM function_versions v LEFT JOIN functions f USING (function_id)
    WHERE %(sub)s IN (f.user_id, v.user_id)
"""
VERSIONS = """
DELETE FROM function_versions WHERE function_id IN (SELECT function_id FROM functions WHERE user_id = %(sub)s)
"""
UNUSED_SCRIPTS = """
CREATE TEMPORARY TABLE unused ON COMMIT DROP AS
SELECT script_hash FROM scripts WHERE script_hash = ANY(%(hashes)s)
    AND NOT EXISTS (SELECT FROM sessions s WHERE s.script_hash = scripts.script_hash)
    AND NOT EXISTS (SELECT FROM functions f WHERE f.script_hash = scripts.script_hash)
    AND NOT EXISTS (SELECT FROM function_versions v WHERE v.script_hash = scripts.script_hash);
DELETE FROM artifacts WHERE script_hash IN (SELECT script_hash FROM unused);
DELETE FROM scripts WHERE script_hash IN (SELECT script_hash FROM unused);
"""
LIVE_SESSIONS = "SELECT request_id, expires_at FROM sessions WHERE user_id = %(sub)s AND expires_at > now()"


def forget(opened: connection, redis: Redis, subject: str) -> dict[str, int]:
    """Remove a user's data.

    Returns:
        The number of removed rows by table, and of sessions in Redis.
    """
    redis.ping()
    with opened, opened.cursor() as cursor:
        cursor.execute(LIVE_SESSIONS, {"sub": subject})
        live = dict(cursor.fetchall())
        cursor.execute(SCRIPTS, {"sub": subject})
        hashes = [script_hash for (script_hash,) in cursor.fetchall()]
        cursor.execute(VERSIONS, {"sub": subject})
        removed = {"function_versions": cursor.rowcount}
        cursor.execute(TABLES)
        for schema, table in cursor.fetchall():
            named = sql.Identifier(schema, table)
            cursor.execute(sql.SQL("DELETE FROM {} WHERE user_id = %s").format(named), (subject,))
            name = table if schema == "public" else f"{schema}.{table}"
            removed[name] = removed.get(name, 0) + cursor.rowcount
        cursor.execute(UNUSED_SCRIPTS, {"hashes": hashes})
        removed["scripts"] = cursor.rowcount
    # After the rows, so that no process can restore a session from them.
    for request_id, expires_at in live.items():
        lives = round((expires_at - now()).total_seconds() * 1000)
        for version in (FORMAT, PREVIOUS):
            _end(redis, f"{version}session:{request_id}".encode(), lives)
    return removed | {"sessions in Redis": len(live) + _forget_rest(redis, subject)}


def _forget_rest(redis: Redis, subject: str) -> int:
    """Remove results, and sessions that are not in PostgreSQL."""
    for key in redis.scan_iter(match="*result:*", count=1000):
        redis.unlink(key)
    ended = 0
    for key in redis.scan_iter(match="*session:*", count=1000):
        record = redis.hget(key, "record")
        if record is not None and json.loads(record)["user_id"] == subject:
            _end(redis, key, redis.pttl(key))
            ended += 1
    return ended


def _end(redis: Redis, key: bytes, milliseconds: int) -> None:
    """Replace a session by a mark that it was deleted, until it would have expired."""
    with redis.pipeline(transaction=True) as pipeline:
        pipeline.delete(key)
        pipeline.hset(key, "state", "deleted")
        pipeline.pexpire(key, milliseconds)
        pipeline.execute()


def main() -> int:
    """Remove the data of the user in the arguments. Return the exit code."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("subject", metavar="SUB", help="the user: sub of their tokens")
    subject = arguments.parse_args().subject
    environment = Environment()
    try:
        redis = Redis.from_url(environment.require("REDIS_URL"), socket_timeout=30)
        opened = psycopg2.connect(environment.require("POSTGRES_URL"))
        try:
            for name, count in forget(opened, redis, subject).items():
                print(f"{count:8} {name}")
        finally:
            opened.close()
            redis.close()
    except (UnusableSetting, psycopg2.Error, RedisError, ValueError) as error:
        print(f"forget_user: {str(error).strip()}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
