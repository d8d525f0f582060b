"""Fills the stores as years of use would: PostgreSQL by SQL, Redis by the controller's own code."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import time

import gevent
import psycopg2
from prometheus_client import CollectorRegistry
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT
from psycopg2.extras import RealDictCursor

from bench.scenarios.sessions import EXECUTE
from bench.service import Service
from controller.cache.manager import CacheManager
from controller.cache.redis import RedisBackend
from controller.cache.redis_client import RedisClient
from controller.limits.rate_limit import MINUTE_MS
from controller.models.registered import Session
from controller.observability.metrics import MetricsCollector

#: Seconds that kept sessions live, and that Redis may take.
TTL = 86_400
PATIENCE = 30.0
#: Greenlets that write to Redis at once, and rows of one statement.
WRITERS = 50
ROWS = 200_000
#: Entries of a list in one command.
PUSHED = 5_000
_SESSIONS = """
INSERT INTO sessions
SELECT (jsonb_populate_record(known, jsonb_build_object('request_id', 'known-' || number))).*
FROM sessions AS known, generate_series(%(first)s, %(last)s) AS number WHERE request_id = %(template)s
"""
_FUNCTIONS = """
WITH new_scripts AS (
    INSERT INTO scripts (script_hash, script_content, size_bytes)
    SELECT encode(sha256(convert_to(content, 'UTF8')), 'hex'), content, octet_length(content)
    FROM (
        SELECT script_content || '# ' || number AS content
        FROM scripts, generate_series(%(first)s, %(last)s) AS number WHERE script_hash = %(script)s
    ) AS texts
    RETURNING script_hash, script_content
)
INSERT INTO functions (user_id, language, title, type, script_hash)
SELECT %(user)s, 'python', 'known-' || split_part(script_content, '# ', 2), 'dynamic', script_hash FROM new_scripts
"""
#: All in the partition of this month, which is as large as one can get.
_LOG_ROWS = """
INSERT INTO request_logs (
    id, created_at, endpoint, http_request_id, session_id, user_id, language, title, script_hash, request_payload,
    response_data, status, status_code, cached, executed, duration_ms, execution_time_ms
)
SELECT
    gen_random_uuid(), began + random() * (now() - began), 'execute', gen_random_uuid(), 'old-' || number / 100,
    'old', 'python', 'old', %(script)s, '{"params": {"n": 1}}', '2', 'ok', 200, false, true, 1, 0.1
FROM generate_series(%(first)s, %(last)s) AS number, date_trunc('month', now(), 'UTC') AS began
"""


class Filling:
    """What a service has been filled with so far; it only ever becomes more."""

    def __init__(self, service: Service) -> None:
        self._service = service
        backend = RedisBackend(service.redis_url, PATIENCE)
        self._redis = RedisClient(service.redis_url, PATIENCE)
        self._cache = CacheManager(backend, TTL, TTL, MetricsCollector(CollectorRegistry()))
        self._number = {"sessions": 0, "functions": 0, "log rows": 0}

    def session(self, path: str) -> Session:
        """The one that is executed at this path."""
        with self._sql() as sql:
            sql.execute("SELECT * FROM sessions WHERE request_id = %s", [path.removeprefix(EXECUTE)])
            return Session.from_record(sql.fetchone())  # type: ignore[arg-type]

    def sessions(self, template: Session, number: int) -> list[str]:
        """Have so many sessions like the template, besides it; returns the paths of all."""
        first, last = self._more("sessions", number)
        with self._sql() as sql:
            sql.execute(_SESSIONS, {"first": first, "last": last, "template": template.request_id})
        copies = (replace(template, request_id=f"known-{each}") for each in range(first, last + 1))
        writers = [gevent.spawn(self._keep, copies) for _ in range(WRITERS)]
        gevent.joinall(writers, raise_error=True)
        return [f"{EXECUTE}known-{each}" for each in range(1, number + 1)]

    def functions(self, template: Session, number: int) -> list[str]:
        """Have so many functions, each with a script of its own like the template's; returns their titles."""
        first, last = self._more("functions", number)
        like = {"first": first, "last": last, "script": template.script_hash, "user": template.user_id}
        with self._sql() as sql:
            sql.execute(_FUNCTIONS, like)
            sql.execute("ANALYZE functions, scripts")
        return [f"known-{each}" for each in range(1, number + 1)]

    def log_rows(self, template: Session, number: int) -> None:
        """Have so many rows in the log, of which the statistics know nothing. Cleaning up after them waits."""
        first, last = self._more("log rows", number)
        with self._sql() as sql:
            sql.execute("ALTER SYSTEM SET autovacuum = off")
            sql.execute("SELECT pg_reload_conf()")
            sql.execute("SET session_replication_role = replica")
            sql.execute("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'request_logs'")
            indexes = {
                row["indexname"]: row["indexdef"].replace(" ON ONLY ", " ON ") for row in sql.fetchall()
            }
            key = indexes.pop("request_logs_pkey")
            # Made anew afterwards, which takes a fraction of the time.
            sql.execute("ALTER TABLE request_logs DROP CONSTRAINT request_logs_pkey")
            for name in indexes:
                sql.execute(f"DROP INDEX {name}")
            for begin in range(first, last + 1, ROWS):
                end = min(begin + ROWS - 1, last)
                sql.execute(_LOG_ROWS, {"first": begin, "last": end, "script": template.script_hash})
            sql.execute("SET maintenance_work_mem = '512MB'")
            sql.execute(f"ALTER TABLE request_logs ADD PRIMARY KEY {key[key.index('(') :]}")
            for definition in indexes.values():
                sql.execute(definition)
            sql.execute("ANALYZE request_logs")
            sql.execute("CHECKPOINT")

    def window(self, user: str, number: int) -> None:
        """Have so many executions of the user in their window, evenly spread over it."""
        key = f"rate:execute:{user}"
        now = int(time() * 1000)
        times = [str(now - MINUTE_MS + MINUTE_MS * each // number) for each in range(number)]
        self._redis.call("DEL", key)
        for begin in range(0, number, PUSHED):
            self._redis.call("RPUSH", key, *times[begin : begin + PUSHED])
        self._redis.call("PEXPIRE", key, MINUTE_MS)

    def _more(self, kind: str, number: int) -> tuple[int, int]:
        """The first and the last number of those that are still to be made."""
        first, self._number[kind] = self._number[kind] + 1, number
        return first, number

    def _keep(self, sessions: Iterator[Session]) -> None:
        for session in sessions:
            if not self._cache.put_session(session):
                raise ConnectionError("Redis did not take a session")

    @contextmanager
    def _sql(self) -> Iterator[RealDictCursor]:
        opened = psycopg2.connect(self._service.postgres_url)
        opened.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
        try:
            with opened.cursor(cursor_factory=RealDictCursor) as sql:
                yield sql
        finally:
            opened.close()
