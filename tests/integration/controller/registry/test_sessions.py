"""SessionManager on real PostgreSQL and Redis: three levels, ends, counters; the tests of the heart have the rest."""

from datetime import timedelta

import pytest
from msgspec import Raw
from redis import Redis

from controller.errors import NotFound
from controller.models.outcome import Outcome, Run
from controller.models.registered import Session, now
from local.stores.redis import RedisServer
from tests.calls import call, execution, new_session
from tests.databases import Database
from tests.integration.controller.parts import Parts
from tests.waiting import until


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


def executed(parts: Parts, session: Session) -> None:
    """One execution that is answered, as the workflow has it."""
    run = Run(Raw(b"1"), 1.5)
    known = {"user_id": session.user_id, "name": session.name, "session_id": session.request_id}
    answered = call(parts.calls, **known, run=run)
    keys = parts.cache.execution_keys(session, {}, reuse=False, lease_ms=1000, later=answered)
    if parts.cache.finish(keys, Outcome(run)) is None:
        answered.counted_in_redis = False
    answered.answered(200)


def count(parts: Parts, session: Session) -> int:
    return parts.sessions.describe(session.request_id, "alice").execution_count


def test_the_count_is_exact_while_redis_is_away_and_after_it_is_back(
    postgres_database: Database, own_redis_server: RedisServer
) -> None:
    one, other = (Parts(postgres_database.url, own_redis_server.url) for _ in range(2))
    session = one.begin(new_session())
    executed(one, session)
    executed(other, session)
    own_redis_server.stop()
    executed(other, session)
    # Nothing waits any more for its turn. What Redis knew is missing until it is written, as it is in the next batch.
    other.settle()
    one.settle()
    assert count(one, session) == 3
    own_redis_server.start()
    until(lambda: one.cache.available() and other.cache.available(), "Redis is back")
    assert count(one, session) == 3
    executed(other, session)
    assert other.cache.available(), "Redis has the end, too, which nothing waited for"
    assert count(one, session) == 4
    other.settle()
    assert count(one, session) == 4


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
