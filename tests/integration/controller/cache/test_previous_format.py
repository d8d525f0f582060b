"""Two versions of the service on one Redis: today's keys, and the keys of the format before."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from msgspec import Raw
from redis import Redis

from controller.cache.backend import BeginStatus, ExecutionKeys
from controller.cache.keys import previous_key, session_key
from controller.cache.manager import CacheManager
from controller.cache.redis import RedisBackend
from controller.models.outcome import Outcome, Run
from controller.models.registered import Session
from local.stores.redis import RedisServer
from tests.calls import new_session

DONE = Outcome(Run(Raw(b"42"), 1.5))


class OlderManager(CacheManager):
    """A manager as the version before had it: its keys have no version."""

    def _versions(self, key: str) -> list[str]:
        return [previous_key(key)]

    def execution_keys(
        self, session: Session, params: Mapping[str, Any], *, reuse: bool, lease_ms: int, **options: Any
    ) -> ExecutionKeys:
        made = super().execution_keys(session, params, reuse=reuse, lease_ms=lease_ms, **options)
        return made._replace(
            session=previous_key(made.session),
            result=previous_key(made.result),
            flight=previous_key(made.flight),
            results_index=previous_key(made.results_index),
            previous_session="",
            previous_result="",
        )

    def put_session(self, session: Session, *args: object, **kwargs: object) -> bool:
        done = super().put_session(session, *args, **kwargs)  # type: ignore[arg-type]
        self.redis.rename(session_key(session.request_id), previous_key(session_key(session.request_id)))
        return done

    redis: Redis


@pytest.fixture
def older(redis_server: RedisServer) -> Iterator[OlderManager]:
    manager = OlderManager(RedisBackend(redis_server.url, timeout=10), 60, 60)
    manager.redis = Redis.from_url(redis_server.url)
    yield manager
    manager.redis.close()


@pytest.fixture
def today(redis_server: RedisServer) -> CacheManager:
    return CacheManager(RedisBackend(redis_server.url, timeout=10), 60, 60)


def ran(manager: CacheManager, session: Session, number: int = 1) -> BeginStatus:
    """Execute, and return what the first trip said."""
    keys = manager.execution_keys(session, {"n": number}, reuse=True, lease_ms=1000)
    reply = manager.begin(keys, None, alive=False)
    if reply.status is BeginStatus.LEAD:
        manager.finish(keys, DONE)
    return reply.status


def counted(manager: CacheManager, session: Session) -> int:
    kept = manager.session(session.request_id)
    assert kept is not None
    return kept.execution_count


def test_a_session_of_the_version_before_goes_on_and_keeps_its_count(
    older: OlderManager, today: CacheManager
) -> None:
    session = new_session(str(uuid.uuid4()))
    older.put_session(session)
    assert [ran(older, session, 1), ran(older, session, 2)] == [BeginStatus.LEAD, BeginStatus.LEAD]

    assert ran(today, session, 3) is BeginStatus.LEAD

    assert counted(today, session) == 3
    kept = today.session(session.request_id)
    assert kept is not None
    assert kept.session == session


def test_a_result_of_the_version_before_is_a_hit(older: OlderManager, today: CacheManager) -> None:
    session = new_session(str(uuid.uuid4()))
    older.put_session(session)
    ran(older, session)

    assert ran(today, session) is BeginStatus.HIT


def test_a_session_that_an_older_process_ended_has_ended(older: OlderManager, today: CacheManager) -> None:
    session = new_session(str(uuid.uuid4()))
    older.put_session(session)
    assert ran(today, session) is BeginStatus.LEAD

    older.end_session(session, "deleted")

    assert ran(today, session, 2) is BeginStatus.SESSION
    kept = today.session(session.request_id)
    assert kept is not None
    assert kept.state == "deleted"


def test_a_session_that_today_ends_has_ended_for_older_processes(
    older: OlderManager, today: CacheManager
) -> None:
    session = new_session(str(uuid.uuid4()))
    older.put_session(session)
    ran(today, session)

    today.end_session(session, "deleted")

    assert ran(older, session, 2) is BeginStatus.SESSION


@pytest.mark.parametrize("cached", [False, True])
def test_a_session_that_closes_with_its_first_success_closes_for_older_processes(
    older: OlderManager, today: CacheManager, cached: bool
) -> None:
    session = replace(new_session(str(uuid.uuid4())), retain_session=False)
    older.put_session(session)
    if cached:
        other = new_session(session.user_id)
        today.put_session(other)
        ran(today, other)

    assert ran(today, session) is (BeginStatus.HIT if cached else BeginStatus.LEAD)

    assert ran(older, session, 2) is BeginStatus.SESSION


def test_an_idempotency_key_is_one_key_for_both_versions(older: OlderManager, today: CacheManager) -> None:
    first, second = (f"v2:idempotency:{uuid.uuid4()}" for _ in range(2))
    assert older.claim_key(first, "body", "old/1", 5000).status == "new"
    assert today.claim_key(first, "body", "new/1", 5000).status == "running"
    older.settle_key(first, "body", "old/1", b"answer", 60)
    assert today.claim_key(first, "body", "new/2", 5000).value == b"answer"

    assert today.claim_key(second, "body", "new/3", 5000).status == "new"
    assert older.claim_key(second, "body", "old/2", 5000).status == "running"
    today.settle_key(second, "body", "new/3", b"answer", 60)
    assert older.claim_key(second, "body", "old/3", 5000).value == b"answer"


def test_after_a_sessions_time_to_live_the_format_before_is_not_read(
    older: OlderManager, redis_server: RedisServer
) -> None:
    session = new_session(str(uuid.uuid4()))
    older.put_session(session)
    later = CacheManager(RedisBackend(redis_server.url, timeout=10), 60, scripts_ttl=0)

    assert ran(later, session) is BeginStatus.SESSION
