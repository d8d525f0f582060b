"""SessionManager on real PostgreSQL and Redis: three levels, owners, ends, counters."""

from datetime import timedelta

import pytest
from redis import Redis

from controller.errors import NotFound, StoreUnavailable
from controller.models import now
from local.postgres import PostgresServer
from local.redis import RedisServer
from tests.integration.controller.parts import Parts, execution, new_session
from tests.waiting import until


def test_a_session_is_found_by_its_own_process_and_by_another(parts: Parts, other_parts: Parts) -> None:
    session = parts.begin(new_session())
    assert parts.sessions.live(session.request_id, "alice") == session
    assert other_parts.sessions.live(session.request_id, "alice") == session


def test_a_session_is_found_in_postgres_when_redis_has_lost_it(
    postgres_server: PostgresServer, own_redis_server: RedisServer
) -> None:
    parts = Parts(postgres_server.url, own_redis_server.url)
    session = parts.begin(new_session())
    parts.logger.record(*execution(session), *execution(session))
    own_redis_server.stop()
    assert (
        Parts(postgres_server.url, own_redis_server.url).sessions.get(session.request_id, "alice") == session
    )
    own_redis_server.start()
    Redis.from_url(own_redis_server.url).flushall()
    assert parts.sessions.live(session.request_id, "alice") == session
    # It is back in Redis, with its counter.
    kept = parts.cache.session(session.request_id)
    assert kept is not None
    assert kept.execution_count == 2


@pytest.mark.parametrize("owner", ["bob", "", "Alice"])
def test_another_users_session_does_not_exist(parts: Parts, owner: str) -> None:
    session = parts.begin(new_session("alice"))
    for ask in (parts.sessions.get, parts.sessions.live, parts.sessions.describe):
        with pytest.raises(NotFound):
            ask(session.request_id, owner)


def test_an_unknown_session_does_not_exist(parts: Parts) -> None:
    with pytest.raises(NotFound):
        parts.sessions.get(new_session().request_id, "alice")


def test_an_expired_session_cannot_be_used_and_can_be_described(parts: Parts, other_parts: Parts) -> None:
    session = parts.begin(new_session(lives=0.3))
    assert parts.sessions.live(session.request_id, "alice") == session
    until(session.expired, "the session expires", timeout=5)
    for process in (parts, other_parts):
        with pytest.raises(NotFound):
            process.sessions.get(session.request_id, "alice")
        assert process.sessions.describe(session.request_id, "alice").document()["status"] == "expired"


@pytest.mark.parametrize("status", ["closed", "deleted"])
def test_a_session_ends_in_every_process(parts: Parts, other_parts: Parts, status: str) -> None:
    session = parts.begin(new_session())
    assert other_parts.sessions.live(session.request_id, "alice") == session
    parts.sessions.end(session, status)
    for process in (parts, other_parts):
        with pytest.raises(NotFound):
            process.sessions.live(session.request_id, "alice")


def test_a_closed_session_is_described_and_a_deleted_one_is_not(parts: Parts) -> None:
    closed, deleted = parts.begin(new_session()), parts.begin(new_session())
    parts.sessions.end(closed, "closed")
    parts.sessions.end(deleted, "deleted")
    assert parts.sessions.describe(closed.request_id, "alice").document()["status"] == "closed"
    with pytest.raises(NotFound):
        parts.sessions.describe(deleted.request_id, "alice")


def test_an_end_holds_when_redis_is_lost(
    postgres_server: PostgresServer, own_redis_server: RedisServer
) -> None:
    parts = Parts(postgres_server.url, own_redis_server.url)
    session = parts.begin(new_session())
    parts.sessions.end(session, "deleted")
    parts.logger.flush()
    own_redis_server.stop()
    with pytest.raises(NotFound):
        parts.sessions.live(session.request_id, "alice")


def test_without_redis_a_session_still_ends_in_every_process(
    postgres_server: PostgresServer, own_redis_server: RedisServer
) -> None:
    one, other = (Parts(postgres_server.url, own_redis_server.url) for _ in range(2))
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


def test_without_both_no_session_can_begin(
    own_postgres_server: PostgresServer, own_redis_server: RedisServer
) -> None:
    parts = Parts(own_postgres_server.url, own_redis_server.url)
    own_postgres_server.stop()
    own_redis_server.stop()
    with pytest.raises(StoreUnavailable):
        parts.begin(new_session())


def test_executions_are_counted_over_processes(parts: Parts, other_parts: Parts) -> None:
    session = parts.begin(new_session())
    for process in (parts, other_parts, parts):
        process.cache.finish(session, "result:" + session.request_id, None, None)
    document = parts.sessions.describe(session.request_id, "alice").document()
    assert document["execution_count"] == 3
    assert document["last_executed_at"] >= document["created_at"]


def test_long_expired_sessions_are_deleted(parts: Parts) -> None:
    gone = parts.begin(new_session(lives=-90_000, created_at=now() - timedelta(days=2)))
    kept = parts.begin(new_session(lives=-10))
    assert parts.sessions.clean_up() >= 1
    assert parts.postgres.query("session", request_id=gone.request_id) is None
    assert parts.postgres.query("session", request_id=kept.request_id) is not None


def test_one_process_at_a_time_cleans_up(parts: Parts, other_parts: Parts) -> None:
    gone = parts.begin(new_session(lives=-90_000, created_at=now() - timedelta(days=2)))
    with parts.postgres.transaction() as holder, holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('clean up sessions'))")
        assert other_parts.sessions.clean_up() == 0
    assert other_parts.postgres.query("session", request_id=gone.request_id) is not None
