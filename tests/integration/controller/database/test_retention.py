"""Retention on a real PostgreSQL: what goes, what stays, and partitions made and dropped."""

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from controller.database.postgres import Postgres
from controller.database.retention import LOCK, Retention
from controller.errors import ScriptFailed
from controller.models.registered import Script, now
from controller.registry.writes import function_writes, script_writes
from tests.calls import call, new_session
from tests.databases import Database
from tests.integration.controller.parts import Parts

DAYS = 30


@pytest.fixture(scope="module")
def postgres(postgres_database: Database) -> Iterator[Postgres]:
    made = Postgres(postgres_database.url, 3, 5)
    yield made
    made.close()


@pytest.fixture
def clean_up(postgres: Postgres) -> Retention:
    return Retention(postgres, DAYS)


def run(postgres: Postgres, statement: str, *parameters: object) -> list[dict[str, Any]]:
    with postgres.transaction() as connection, connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [dict(row) for row in cursor.fetchall()] if cursor.description else []


def logged(parts: Parts, days_ago: float) -> str:
    """A failed call of that day in both logs, as the spool might bring it."""
    written = call(error=ScriptFailed("bad"))
    for record in written.rows(2.5):
        row = json.loads(record.row or "") | {"created_at": (now() - timedelta(days=days_ago)).isoformat()}
        parts.logger.record(replace(record, row=json.dumps(row)))
    parts.logger.flush()
    return written.ids.http_request_id


def found(postgres: Postgres, table: str, http_request_id: str) -> bool:
    return bool(run(postgres, f"SELECT 1 FROM {table} WHERE http_request_id = %s", http_request_id))


def month(postgres: Postgres, days_ago: int) -> str:
    """The name of the partition of that day, made if need be."""
    day = (now() - timedelta(days=days_ago)).date().replace(day=1)
    name = f"request_logs_{day:%Y_%m}"
    after = (day + timedelta(days=32)).replace(day=1)
    run(
        postgres,
        f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF request_logs FOR VALUES FROM ('{day} 00:00+00') "
        f"TO ('{after} 00:00+00')",
    )
    return name


def exists(postgres: Postgres, table: str) -> bool:
    return run(postgres, "SELECT to_regclass(%s) AS place", table)[0]["place"] is not None


def test_whole_months_go_when_their_last_row_is_old_enough(postgres: Postgres, clean_up: Retention) -> None:
    old, partly = month(postgres, DAYS + 63), month(postgres, DAYS)
    present = f"request_logs_{now():%Y_%m}"
    clean_up.clean_up()
    assert [exists(postgres, table) for table in (old, partly, present)] == [False, True, True]


def test_rows_without_a_partition_and_errors_go_by_their_age(
    parts: Parts, postgres: Postgres, clean_up: Retention
) -> None:
    old, young = logged(parts, 400), logged(parts, 1)
    assert found(postgres, "request_logs_default", old)
    clean_up.clean_up()
    for table in ("request_logs", "error_logs"):
        assert [found(postgres, table, row) for row in (old, young)] == [False, True]


def test_rows_of_a_month_that_gets_its_partition_late_move_there(parts: Parts, postgres: Postgres) -> None:
    ahead = now() + timedelta(days=200)
    row = logged(parts, -200)
    assert found(postgres, "request_logs_default", row)
    calls = run(postgres, "SELECT count(*) FROM analytics.pending")
    assert postgres.query("ensure_log_partitions", months_ahead=8) >= 1
    assert not found(postgres, "request_logs_default", row)
    assert found(postgres, f"request_logs_{ahead:%Y_%m}", row)
    assert found(postgres, "request_logs", row)
    assert run(postgres, "SELECT count(*) FROM analytics.pending") == calls, "a move is no call"
    assert postgres.query("ensure_log_partitions", months_ahead=8) == 0


def aged_script(parts: Parts) -> Script:
    script = Script.of(f"result = '{uuid.uuid4()}'")
    parts.logger.record(*script_writes(script))
    parts.logger.flush()
    age(parts.postgres, script)
    return script


def age(postgres: Postgres, script: Script) -> None:
    run(
        postgres,
        "UPDATE scripts SET used_at = now() - make_interval(days => %s) WHERE script_hash = %s",
        DAYS + 1,
        script.hash,
    )


def test_scripts_without_references_are_removed(
    parts: Parts, postgres: Postgres, clean_up: Retention
) -> None:
    unused, of_session, of_function, replaced, used_again, young = (aged_script(parts) for _ in range(6))
    owner = str(uuid.uuid4())
    parts.begin(new_session(script_hash=of_session.hash))
    for script in (replaced, of_function):
        parts.logger.record(*function_writes(new_session(owner, script_hash=script.hash)))
        parts.logger.flush()
    parts.logger.record(*script_writes(used_again))
    parts.logger.flush()
    run(postgres, "UPDATE scripts SET used_at = now() WHERE script_hash = %s", young.hash)
    run(
        postgres,
        "INSERT INTO artifacts (script_hash, language, compile_options, artifact) VALUES (%s, 'rust', '{}', '')",
        unused.hash,
    )
    clean_up.clean_up()
    scripts = (unused, of_session, of_function, replaced, used_again, young)
    kept = [postgres.query("script", script_hash=script.hash) is not None for script in scripts]
    assert kept == [False, True, True, True, True, True]


def test_statistics_of_users_and_histograms_go_and_the_counts_stay(
    parts: Parts, postgres: Postgres, clean_up: Retention
) -> None:
    hour = now().replace(minute=0, second=0, microsecond=0) - timedelta(days=DAYS + 2)
    run(postgres, "INSERT INTO analytics.daily_users VALUES (%s, 'python', 'bob')", hour.date())
    run(postgres, "INSERT INTO analytics.hourly_times VALUES (%s, 'python', 'call', 1, 1)", hour)
    run(
        postgres,
        "INSERT INTO analytics.hourly VALUES (%s, 'execute', 'aged', 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0)",
        hour,
    )
    clean_up.clean_up()
    assert run(postgres, "SELECT 1 FROM analytics.daily_users WHERE user_id = 'bob'") == []
    assert run(postgres, "SELECT 1 FROM analytics.hourly_times WHERE hour = %s", hour) == []
    (kept,) = run(postgres, "SELECT executions, users FROM analytics.daily_usage WHERE language = 'aged'")
    assert kept == {"executions": 1, "users": None}


def test_one_process_at_a_time(parts: Parts, postgres: Postgres, clean_up: Retention) -> None:
    old = logged(parts, 400)
    with postgres.transaction() as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (LOCK,))
        clean_up.clean_up()
        assert found(postgres, "request_logs", old)
    clean_up.clean_up()
    assert not found(postgres, "request_logs", old)


def test_for_ever_is_a_choice(parts: Parts, postgres: Postgres) -> None:
    old = logged(parts, 400)
    Retention(postgres, 0).clean_up()
    assert found(postgres, "request_logs", old)
