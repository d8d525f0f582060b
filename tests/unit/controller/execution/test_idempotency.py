"""IdempotencyKeys on a store in memory: a repeat is answered what the first request was."""

import pytest

from controller.errors import (
    Forbidden,
    IdempotencyConflict,
    NotFound,
    RateLimited,
    ServiceError,
    StoreUnavailable,
)
from controller.models.registered import Identity
from controller.models.requests import CacheDirectives
from tests.unit.controller.doubles import settle
from tests.unit.controller.heart import ALICE, BOB, PATIENCE, Client, Process, Stores, result

#: Nothing but the key spares a run.
FRESH = CacheDirectives(reuse=False)
HELD = {"held": True}


def test_a_repeat_is_answered_the_same_and_does_not_count(
    one: Process, other: Process, stores: Stores
) -> None:
    session = one.begin()
    first = one.execute(session, key="k", directives=FRESH)
    again = other.execute(session, key="k", directives=FRESH)
    assert again == first
    assert (stores.runtime.runs, one.count(session)) == (1, 1)
    other.logger.flush()
    assert one.count(session) == 1


def test_another_key_session_or_user_is_another_execution(one: Process, stores: Stores) -> None:
    session = one.begin()
    one.execute(session, key="k", directives=FRESH)
    assert result(one.execute(session, key="other", directives=FRESH)) == (2, False)
    assert result(one.execute(one.begin(), key="k", directives=FRESH)) == (3, False)
    with pytest.raises(NotFound):
        one.execute(session, identity=BOB, key="k")


@pytest.mark.parametrize("code", ["RUNTIME_ERROR", "TIMEOUT"])
def test_a_failure_of_the_script_is_answered_again(one: Process, other: Process, code: str) -> None:
    session = one.begin()
    for process in (one, other):
        with pytest.raises(ServiceError, match="run 1") as failed:
            process.execute(session, {"fails": code}, key="k")
        assert (failed.value.code, failed.value.request_id) == (code, session.request_id)
    other.logger.flush()
    assert one.count(session) == 1


def test_what_is_no_failure_of_the_script_is_tried_again(one: Process, other: Process) -> None:
    session = one.begin()
    for run, process in (("run 1", one), ("run 2", other)):
        with pytest.raises(RateLimited, match=run):
            process.execute(session, {"fails": "RATE_LIMITED"}, key="k")


def test_another_body_is_a_conflict_and_runs_nothing(one: Process, other: Process, stores: Stores) -> None:
    session = one.begin()
    one.execute(session, {"a": 1}, key="k")
    for _ in range(2):
        with pytest.raises(IdempotencyConflict):
            other.execute(session, {"a": 2}, key="k")
    assert stores.runtime.runs == 1
    assert result(other.execute(session, {"a": 1}, key="k")) == (1, False)


def test_another_body_is_a_conflict_while_the_first_request_runs(
    one: Process, other: Process, stores: Stores
) -> None:
    session = one.begin()
    first = one.ask(session, HELD, key="k")
    with pytest.raises(IdempotencyConflict):
        other.execute(session, {"a": 2}, key="k")
    stores.runtime.release()
    assert result(first) == (1, False)


def test_repeats_wait_for_the_first_request(one: Process, other: Process, stores: Stores) -> None:
    session = one.begin()
    asked = [process.ask(session, HELD, key="k", directives=FRESH) for process in (one, one, other, other)]
    assert stores.runtime.runs == 1
    stores.runtime.release()
    assert [result(request) for request in asked] == [(1, False)] * 4
    assert one.count(session) == 1


def test_a_repeat_runs_when_the_first_request_it_waited_for_failed_otherwise(
    one: Process, other: Process, stores: Stores
) -> None:
    session = one.begin()
    asked = [
        process.ask(session, HELD | {"fails": "RATE_LIMITED"}, key="k", directives=FRESH)
        for process in (one, other)
    ]
    stores.runtime.release()
    for request in asked:
        with pytest.raises(RateLimited):
            request.get(timeout=PATIENCE)
    assert stores.runtime.runs == 2


def test_a_repeat_is_answered_after_the_session_has_ended(
    one: Process, other: Process, stores: Stores
) -> None:
    session = one.begin(retain_session=False)
    first = one.execute(session, key="k")
    assert other.execute(session, key="k") == first
    with pytest.raises(NotFound):
        other.execute(session, key="another")
    with pytest.raises(NotFound):
        other.execute(session, identity=BOB, key="k")
    with pytest.raises(IdempotencyConflict):
        other.execute(session, {"a": 1}, key="k")
    with pytest.raises(Forbidden):
        other.execute(session, identity=Identity("alice", frozenset()), key="k")
    assert stores.runtime.runs == 1


def test_a_look_for_an_answer_after_the_end_claims_nothing(one: Process, stores: Stores) -> None:
    session = one.begin()
    one.sessions.end(session, "deleted")
    for _ in range(2):
        with pytest.raises(NotFound):
            one.execute(session, key="k")
    assert "reply" not in stores.redis.asked, "the second look waits for none"


def test_a_replay_is_marked_as_such(one: Process) -> None:
    session = one.begin()
    one.execute(session, key="k")
    one.execute(session, key="k")
    assert one.sample("lambda_cache_lookups_total", result="miss") == 1
    assert one.sample("lambda_cache_lookups_total", result="hit") == 0


def test_a_replay_says_whether_the_first_answer_was_cached(one: Process) -> None:
    session = one.begin()
    one.execute(session)
    assert [result(one.execute(session, key="k")) for _ in range(2)] == [(1, True)] * 2


def test_a_request_with_a_key_costs_a_place_though_it_runs_nothing(one: Process) -> None:
    session = one.begin()
    one.execute(session, key="k", admission=one.admission(2))
    one.execute(session, key="k", admission=one.admission(2))
    with pytest.raises(RateLimited):
        one.execute(session, key="k", admission=one.admission(2))


def test_a_run_with_a_key_outlives_its_client(one: Process, other: Process, stores: Stores) -> None:
    session, client = one.begin(), Client()
    one.ask(session, HELD, key="k", client=client)
    client.hang_up()
    assert stores.runtime.abandoned == 0
    stores.runtime.release()
    settle()
    assert result(other.execute(session, HELD, key="k")) == (1, False)
    assert stores.runtime.runs == 1


def test_without_redis_a_key_is_refused_and_nothing_runs(one: Process, stores: Stores) -> None:
    session = one.begin()
    stores.redis.away = True
    with pytest.raises(StoreUnavailable):
        one.execute(session, key="k")
    assert stores.runtime.runs == 0
    assert result(one.execute(session)) == (1, False)


def test_redis_that_goes_away_under_a_run_takes_nothing_from_its_answer(one: Process, stores: Stores) -> None:
    session = one.begin()
    asked = one.ask(session, HELD, key="k", identity=ALICE)
    stores.redis.away = True
    stores.runtime.release()
    assert result(asked) == (1, False)
