"""SessionManager on real PostgreSQL and Redis: three levels, ends, counters; the tests of the heart have the rest."""

from datetime import timedelta

import pytest
from msgspec import Raw
from redis import Redis

from controller.errors import NotFound
from controller.models.outcome import Outcome, Run
from controller.models.registered import Session, now
from controller.registry.sessions import CLEANING_BATCH
from local.stores.postgres import PostgresServer
from local.stores.redis import RedisServer
from tests.calls import SCRIPT, call, execution, new_session
from tests.databases import Database
from tests.integration.controller.parts import Parts
from tests.waiting import until


def test_a_session_is_found_by_its_own_process_and_by_another(parts: Parts, other_parts: Parts) -> None:
    session = parts.begin(new_session())
    assert parts.sessions.live(session.request_id, "alice") == session
    assert other_parts.sessions.live(session.request_id, "alice") == session


def test_a_session_is_found_in_postgres_when_redis_has_lost_it(
    postgres_database: Database, own_redis_server: RedisServer
) -> None:
    parts = Parts(postgres_database.url, own_redis_server.url)
    session = parts.begin(new_session())
    parts.logger.record(*execution(session), *execution(session))
    own_redis_server.stop()
    assert (
        Parts(postgres_database.url, own_redis_server.url).sessions.get(session.request_id, "alice")
        == session
    )
    own_redis_server.start()
    Redis.from_url(own_redis_server.url).flushall()
    assert parts.sessions.live(session.request_id, "alice") == session
    # It is back in Redis, with its counter.
    kept = parts.cache.session(session.request_id)
    assert kept is not None
    assert kept.execution_count == 2


@pytest.mark.parametrize("status", ["closed", "deleted"])
def test_a_session_ends_in_every_process(parts: Parts, other_parts: Parts, status: str) -> None:
    session = parts.begin(new_session())
    assert other_parts.sessions.live(session.request_id, "alice") == session
    parts.sessions.end(session, status)
    for process in (parts, other_parts):
        with pytest.raises(NotFound):
            process.sessions.live(session.request_id, "alice")


def test_without_redis_a_session_still_ends_in_every_process(
    postgres_database: Database, own_redis_server: RedisServer
) -> None:
    one, other = (Parts(postgres_database.url, own_redis_server.url) for _ in range(2))
    own_redis_server.stop()
    session = one.begin(new_session())
    assert other.sessions.live(session.request_id, "alice") == session
    one.sessions.end(session, "closed")
    with pytest.raises(NotFound):
        other.sessions.live(session.request_id, "alice")


def test_without_postgres_a_session_lives_in_redis_and_is_written_later(
    own_postgres_server: PostgresServer, redis_server: RedisServer
) -> None:
    parts = Parts(own_postgres_server.url, redis_server.url)
    own_postgres_server.stop()
    session = parts.begin(new_session())
    assert (
        Parts(own_postgres_server.url, redis_server.url).sessions.live(session.request_id, "alice") == session
    )
    parts.logger.record(*execution(session))
    own_postgres_server.start()
    parts.logger.flush()
    row = parts.postgres.query("session", request_id=session.request_id)
    assert row["execution_count"] == 1


def executed(parts: Parts, session: Session) -> None:
    """One execution that is answered, as the workflow has it."""
    keys = parts.cache.execution_keys(session, {}, reuse=False, lease_ms=1000)
    state = parts.cache.finish(keys, Outcome(Run(Raw(b"1"), 1.5)))
    known = {"user_id": session.user_id, "name": session.name, "session_id": session.request_id}
    run = Run(Raw(b"1"), 1.5)
    call(parts.calls, **known, run=run, counted_in_redis=state is not None).answered(200)


def count(parts: Parts, session: Session) -> int:
    return parts.sessions.describe(session.request_id, "alice").execution_count


def test_executions_are_counted_over_processes_before_their_rows_are_written(
    parts: Parts, other_parts: Parts
) -> None:
    session = parts.begin(new_session())
    for process in (parts, other_parts, parts):
        executed(process, session)
    status = parts.sessions.describe(session.request_id, "alice")
    assert status.execution_count == 3
    assert status.last_executed_at is not None
    assert status.last_executed_at >= session.created_at
    for process in (parts, other_parts):
        process.logger.flush()
    assert count(other_parts, session) == 3


def test_the_count_is_exact_while_redis_is_away_and_after_it_is_back(
    postgres_database: Database, own_redis_server: RedisServer
) -> None:
    one, other = (Parts(postgres_database.url, own_redis_server.url) for _ in range(2))
    session = one.begin(new_session())
    executed(one, session)
    executed(other, session)
    own_redis_server.stop()
    executed(other, session)
    # Nothing of the other process waits any more for its turn: what Redis misses is written at once. What Redis knew
    # is missing until it is written, which it is in the next batch.
    other.logger.flush()
    one.logger.flush()
    assert count(one, session) == 3
    own_redis_server.start()
    until(lambda: one.cache.available() and other.cache.available(), "Redis is back")
    assert count(one, session) == 3
    executed(other, session)
    assert count(one, session) == 4
    other.logger.flush()
    assert count(one, session) == 4


def test_the_count_is_exact_after_redis_has_lost_everything(
    postgres_database: Database, own_redis_server: RedisServer
) -> None:
    one, other = (Parts(postgres_database.url, own_redis_server.url) for _ in range(2))
    session = one.begin(new_session())
    executed(one, session)
    own_redis_server.stop()
    executed(other, session)
    own_redis_server.start()
    Redis.from_url(own_redis_server.url).flushall()
    until(lambda: one.cache.available() and other.cache.available(), "Redis is back")
    assert one.sessions.live(session.request_id, "alice") == session
    assert count(other, session) == 2
    executed(other, session)
    assert count(one, session) == 3


@pytest.mark.parametrize("level", ["redis", "postgres"])
def test_a_session_expires_to_the_second_at_every_level(
    postgres_database: Database, own_redis_server: RedisServer, level: str
) -> None:
    one, other = (Parts(postgres_database.url, own_redis_server.url) for _ in range(2))
    session = one.begin(new_session(lives=1.5))
    if level == "postgres":
        own_redis_server.stop()
    assert other.sessions.live(session.request_id, "alice") == session
    assert now() < session.expires_at
    until(session.expired, "the session expires")
    with pytest.raises(NotFound):
        other.sessions.get(session.request_id, "alice")
    assert now() - session.expires_at < timedelta(seconds=1)


def test_cleaning_goes_on_in_batches_until_nothing_is_left(parts: Parts) -> None:
    with parts.postgres.transaction() as connection, connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO scripts (script_hash, script_content, size_bytes) VALUES (%s, '', 0)
            ON CONFLICT DO NOTHING""",
            (SCRIPT.hash,),
        )
        cursor.execute(
            """INSERT INTO sessions (request_id, user_id, language, title, script_hash, compile_options, context,
                isolation, timeout_ms, retain_session, created_at, expires_at)
            SELECT gen_random_uuid()::text, 'old', 'python', 'x', %s, '{}', '{}', 'session', 1, true,
                now() - interval '3 days', now() - interval '2 days'
            FROM generate_series(1, %s)""",
            (SCRIPT.hash, 2 * CLEANING_BATCH + 1),
        )
    assert parts.sessions.clean_up() >= 2 * CLEANING_BATCH + 1
    assert parts.sessions.clean_up() == 0


def test_one_process_at_a_time_cleans_up(parts: Parts, other_parts: Parts) -> None:
    gone = parts.begin(new_session(lives=-90_000, created_at=now() - timedelta(days=2)))
    with parts.postgres.transaction() as holder, holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('clean up sessions'))")
        assert other_parts.sessions.clean_up() == 0
    assert other_parts.postgres.query("session", request_id=gone.request_id) is not None
