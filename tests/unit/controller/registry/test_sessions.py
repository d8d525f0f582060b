"""SessionManager on stores in memory: three levels, owners, ends, counts."""

from datetime import timedelta
from typing import Any

import pytest

from controller.errors import NotFound, StoreUnavailable
from controller.models.registered import Session, now
from controller.registry.sessions import CLEANING_BATCH
from controller.registry.writes import script_writes, session_writes
from tests.calls import SCRIPT, new_session
from tests.unit.controller.heart import Process, Stores

OWNERS = ["bob", "", "Alice"]


def begun(process: Process, **changes: Any) -> Session:
    """Begin a session with these fields."""
    session = new_session(**changes)
    process.sessions.create(session, [*script_writes(SCRIPT), *session_writes(session)])
    return session


def test_every_process_finds_a_session_and_asks_the_stores_once(
    one: Process, other: Process, stores: Stores
) -> None:
    session = begun(one)
    stores.redis.asked.clear()
    assert one.sessions.get(session.request_id, "alice") == session
    assert stores.redis.asked == []
    assert [other.sessions.get(session.request_id, "alice") for _ in range(2)] == [session] * 2
    # Once for each version of the keys, see `controller.models.formats`.
    assert stores.redis.asked == ["session"] * 2
    assert "session" not in stores.postgres.asked


@pytest.mark.parametrize("owner", OWNERS)
def test_another_users_session_does_not_exist_at_any_level(
    one: Process, other: Process, stores: Stores, owner: str
) -> None:
    session = begun(one)
    for process in (one, other):
        for ask in (process.sessions.get, process.sessions.live, process.sessions.describe):
            with pytest.raises(NotFound):
                ask(session.request_id, owner)
    stores.redis.away = True
    with pytest.raises(NotFound):
        Process(stores).sessions.get(session.request_id, owner)


def test_another_users_look_makes_no_process_remember(one: Process, other: Process) -> None:
    session = begun(one)
    with pytest.raises(NotFound):
        other.sessions.get(session.request_id, "bob")
    assert not other.sessions.remembers(session.request_id)


def test_a_session_that_redis_has_lost_is_put_back_with_its_count(
    one: Process, other: Process, stores: Stores
) -> None:
    session = one.begin()
    for params in ({"a": 1}, {"a": 2}):
        one.execute(session, params)
    one.logger.flush()
    stores.lose_redis()
    assert other.sessions.get(session.request_id, "alice") == session
    kept = other.cache.session(session.request_id)
    assert kept is not None
    assert (kept.session, kept.execution_count) == (session, 2)


def test_what_redis_missed_is_not_put_back_twice(one: Process, other: Process, stores: Stores) -> None:
    session = one.begin()
    one.execute(session)
    stores.redis.away = True
    one.execute(session)
    stores.redis.away = False
    one.logger.flush()
    stores.lose_redis()
    other.sessions.get(session.request_id, "alice")
    kept = other.cache.session(session.request_id)
    assert kept is not None
    assert kept.execution_count == 1
    assert other.count(session) == 2


def test_what_this_process_has_not_written_yet_is_put_back_too(one: Process, stores: Stores) -> None:
    session = one.begin()
    one.execute(session)
    stores.lose_redis()
    assert one.sessions.live(session.request_id, "alice") == session
    kept = one.cache.session(session.request_id)
    assert kept is not None
    assert kept.execution_count == 1


@pytest.mark.parametrize("lost", [False, True])
def test_an_ended_session_is_found_nowhere(one: Process, other: Process, stores: Stores, lost: bool) -> None:
    session = begun(one)
    other.sessions.get(session.request_id, "alice")
    assert one.sessions.end(session, "deleted")
    one.logger.flush()
    if lost:
        stores.lose_redis()
    for process in (one, other, Process(stores)):
        with pytest.raises(NotFound):
            process.sessions.live(session.request_id, "alice")
        assert not process.sessions.remembers(session.request_id)
    assert not lost or one.cache.session(session.request_id) is None, "no process puts it back"


def test_an_expired_session_is_described_and_not_used(one: Process, other: Process, stores: Stores) -> None:
    session = begun(one, lives=-1)
    for process in (one, other):
        with pytest.raises(NotFound):
            process.sessions.get(session.request_id, "alice")
    assert one.sessions.describe(session.request_id, "alice").document().status == "expired"
    stores.lose_redis()
    with pytest.raises(NotFound):
        Process(stores).sessions.get(session.request_id, "alice")
    assert one.cache.session(session.request_id) is None


def test_a_closed_session_is_described_and_a_deleted_one_is_not(one: Process) -> None:
    closed, deleted = begun(one), begun(one)
    one.sessions.end(closed, "closed")
    one.sessions.end(deleted, "deleted")
    assert one.sessions.describe(closed.request_id, "alice").document().status == "closed"
    with pytest.raises(NotFound):
        one.sessions.describe(deleted.request_id, "alice")


def test_a_session_is_described_by_either_store(one: Process, stores: Stores) -> None:
    session = begun(one)
    whole = one.sessions.describe(session.request_id, "alice")
    stores.postgres.away = True
    assert one.sessions.describe(session.request_id, "alice") == whole
    stores.redis.away = True
    with pytest.raises(StoreUnavailable):
        one.sessions.describe(session.request_id, "alice")
    stores.postgres.away = False
    assert one.sessions.describe(session.request_id, "alice") == whole


def test_without_redis_the_first_end_is_told_by_postgres(one: Process, stores: Stores) -> None:
    session = begun(one)
    stores.redis.away = True
    assert [one.sessions.end(session, status) for status in ("deleted", "closed")] == [True, False]
    stores.postgres.away = True
    with pytest.raises(StoreUnavailable):
        one.sessions.end(session, "deleted")


def test_of_two_first_successes_one_is_told_that_the_session_had_closed(one: Process, other: Process) -> None:
    session = begun(one, retain_session=False)
    one.sessions.close(session, "active", shared=False)
    with pytest.raises(NotFound):
        other.sessions.close(session, "closed", shared=False)
    other.sessions.close(session, "closed", shared=True)


def test_without_redis_postgres_tells_which_success_was_first(
    one: Process, other: Process, stores: Stores
) -> None:
    session = begun(one, retain_session=False)
    stores.redis.away = True
    one.sessions.close(session, None, shared=False)
    with pytest.raises(NotFound):
        other.sessions.close(session, None, shared=False)
    other.sessions.close(session, None, shared=True)


def test_without_both_stores_a_close_is_written_later(one: Process, stores: Stores) -> None:
    session = begun(one, retain_session=False)
    stores.redis.away = stores.postgres.away = True
    one.sessions.close(session, None, shared=False)
    assert not one.sessions.remembers(session.request_id)
    stores.postgres.away = False
    one.logger.flush()
    assert stores.postgres.session(session.request_id).session.status == "closed"


def test_a_process_remembers_the_sessions_used_last(stores: Stores) -> None:
    one = Process(stores, remembered=2)
    sessions = [begun(one) for _ in range(3)]

    def remembered() -> list[bool]:
        return [one.sessions.remembers(session.request_id) for session in sessions]

    assert remembered() == [False, True, True]
    one.sessions.get(sessions[1].request_id, "alice")
    one.sessions.get(sessions[0].request_id, "alice")
    assert remembered() == [True, True, False]


def test_long_expired_sessions_are_deleted_in_batches_and_the_active_counted(
    one: Process, stores: Stores
) -> None:
    created = now() - timedelta(days=3)
    old = [new_session(lives=-90_000, created_at=created) for _ in range(2 * CLEANING_BATCH + 1)]
    records = [record for session in old for record in session_writes(session)]
    rows = [*script_writes(SCRIPT), *records]
    stores.postgres.write_together((record.query, record.parameters) for record in rows)
    kept = begun(one)
    assert one.sessions.clean_up() == 2 * CLEANING_BATCH + 1
    assert one.sessions.clean_up() == 0
    assert stores.postgres.session(kept.request_id) is not None
    assert one.sample("lambda_sessions_active") == 1
