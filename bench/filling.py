"""A service filled as years of use would fill it, and requests to it.

PostgreSQL is filled by SQL, Redis by executing.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT, cursor

from bench.scenarios.clients import Client
from bench.scenarios.requests import INITIALIZED, JSON, Initialize, execution, loaded
from bench.scenarios.scenario import (
    EXECUTE,
    INITIALIZE,
    TRIVIAL,
    Begin,
    Bench,
    Run,
    burst,
    session,
    sessions,
    title_line,
)
from bench.wrk import Load, Plan, Tally

LANGUAGE = "python"
#: Rows of one statement.
ROWS = 200_000
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
        FROM scripts JOIN sessions USING (script_hash), generate_series(%(first)s, %(last)s) AS number
        WHERE request_id = %(template)s
    ) AS texts
    RETURNING script_hash, script_content
), new_functions AS (
    INSERT INTO functions (user_id, language, title, type, script_hash)
    SELECT user_id, 'python', 'known-' || split_part(script_content, '# ', 2), 'dynamic', new_scripts.script_hash
    FROM new_scripts, sessions WHERE request_id = %(template)s
    RETURNING function_id, version, script_hash
)
INSERT INTO function_versions (function_id, version, script_hash)
SELECT function_id, version, script_hash FROM new_functions
"""
#: All in the partition of this month, which is as large as one can get. Without triggers: no statistics count them.
_LOG_ROWS = """
SET session_replication_role = replica;
INSERT INTO request_logs (
    id, created_at, endpoint, http_request_id, session_id, user_id, language, title, script_hash, request_payload,
    response_data, status, status_code, cached, executed, duration_ms, execution_time_ms
)
SELECT
    gen_random_uuid(), began + random() * (now() - began), 'execute', gen_random_uuid(), 'old-' || number / 100,
    'old', 'python', 'old', script_hash, '{"params": {"n": 1}}', '2', 'ok', 200, false, true, 1, 0.1
FROM sessions, generate_series(%(first)s, %(last)s) AS number, date_trunc('month', now(), 'UTC') AS began
WHERE request_id = %(template)s
"""


class Filling:
    """A bench whose service serves Python, with a session of a trivial script. It only ever gets fuller."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.service = bench.service
        self.path = session(bench.service, LANGUAGE, TRIVIAL[LANGUAGE])
        self.paths = [self.path]
        self.titles: list[str] = []
        self._log_rows = 0

    def have_sessions(self, number: int) -> None:
        """So many sessions; each is executed in once, which brings it into Redis."""
        self._insert(_SESSIONS, len(self.paths), number - 1)
        new = [f"{EXECUTE}known-{each}" for each in range(len(self.paths), number)]
        burst(self.service, ((path, b'{"params": {"n": 1}}', "") for path in new))
        self.paths += new

    def have_functions(self, number: int) -> None:
        """So many functions, each with another script."""
        self._insert(_FUNCTIONS, len(self.titles) + 1, number)
        self.titles = [f"known-{each}" for each in range(1, number + 1)]

    def have_log_rows(self, number: int) -> None:
        """So many rows in the log. Autovacuum is off, since it would start in the middle of a run."""
        with self._sql() as sql:
            sql.execute("ALTER SYSTEM SET autovacuum = off")
            sql.execute("SELECT pg_reload_conf()")
        for first in range(self._log_rows + 1, number + 1, ROWS):
            self._insert(_LOG_ROWS, first, min(first + ROWS - 1, number))
        self._log_rows = number

    def cached(self, size: int) -> Run:
        """All sessions have the same script, and so the same cached result."""
        return self._executed(self.paths, fresh=0.0)

    def warm(self, size: int) -> Run:
        return self._executed(self.paths)

    def rotated(self, size: int) -> Run:
        """So many scripts in turn, each with a warm worker."""
        paths = sessions(self.service, LANGUAGE, size)
        burst(self.service, [(path, b'{"params": {"n": 1}}', "") for path in paths])
        return self._executed(paths)

    def initialized(self, size: int) -> Run:
        return Initialize("", "", LANGUAGE, new=False).prepare(self.bench)

    def initialized_by_title(self, size: int) -> Run:
        lines = [title_line(LANGUAGE, title) for title in sorted(self.titles, key=hash)]
        headers, body = self.service.headers | JSON, ('{"context": {"n": ', "}}")
        plan = Plan([INITIALIZE], headers, *body, lines=lines, answer=INITIALIZED, counts=False)
        return lambda begin: loaded(self.bench, plan.anew(), begin)

    def page(self, size: int) -> Run:
        return self._read("/api/v1/functions/?per_page=20")

    def status(self, size: int) -> Run:
        return self._read(self.path.replace("/execute/", "/sessions/"))

    def _executed(self, paths: Sequence[str], fresh: float = 1.0) -> Run:
        # Their order has nothing to do with when they were made.
        plan = execution(self.service, sorted(paths, key=hash), fresh)
        return lambda begin: loaded(self.bench, plan.anew(), begin)

    def _read(self, path: str) -> Run:
        """One client that reads a document again and again."""

        def run(begin: Begin) -> Load:
            client = Client(self.service.connect(), path, Tally())
            return client.work(begin, [client.read] * self.bench.scale.times)

        return run

    def _insert(self, statement: str, first: int, last: int) -> None:
        with self._sql() as sql:
            template = self.path.removeprefix(EXECUTE)
            sql.execute(statement, {"first": first, "last": last, "template": template})
            sql.execute("ANALYZE")
            sql.execute("CHECKPOINT")

    @contextmanager
    def _sql(self) -> Iterator[cursor]:
        opened = psycopg2.connect(self.service.postgres_url)
        opened.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
        try:
            with opened.cursor() as sql:
                yield sql
        finally:
            opened.close()
