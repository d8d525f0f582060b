"""WorkflowManager.execute on stores in memory: every way that an execution can go."""

import pytest

from controller.errors import (
    Forbidden,
    InvalidParams,
    NotFound,
    RateLimited,
    ScriptFailed,
    ServiceError,
    StoreUnavailable,
)
from controller.models.registered import Identity, LanguageTitle
from controller.models.requests import CacheDirectives
from tests.calls import new_session
from tests.unit.controller.heart import (
    BOB,
    PATIENCE,
    PYTHONIST,
    Process,
    Stores,
    predefine,
    result,
)

FRESH = CacheDirectives(reuse=False)


def test_a_miss_runs_and_a_hit_does_not(one: Process, stores: Stores) -> None:
    session = one.begin()
    assert [result(one.execute(session, {"a": 1})) for _ in range(2)] == [(1, False), (1, True)]
    assert result(one.execute(session, {"a": 2})) == (2, False)
    assert (stores.runtime.runs, one.count(session)) == (2, 3)


def test_the_source_of_a_result_is_counted(one: Process) -> None:
    session = one.begin()
    for directives in (None, None, FRESH):
        one.execute(session, directives=directives)
    sources = [
        one.sample("lambda_cache_lookups_total", result=source)
        for source in ("miss", "hit", "refresh", "coalesced")
    ]
    assert sources == [1, 1, 1, 0]


def test_no_cache_runs_and_keeps_the_newer_result(one: Process) -> None:
    session = one.begin()
    assert result(one.execute(session)) == (1, False)
    assert result(one.execute(session, directives=FRESH)) == (2, False)
    assert result(one.execute(session)) == (2, True)


def test_a_result_with_max_age_0_is_not_kept(one: Process) -> None:
    session = one.begin()
    one.execute(session, directives=CacheDirectives(max_age=0))
    assert result(one.execute(session)) == (2, False)


def test_an_unknown_or_foreign_session_is_not_found(one: Process, stores: Stores) -> None:
    with pytest.raises(NotFound):
        one.execute(new_session())
    session = one.begin()
    with pytest.raises(NotFound):
        one.execute(session, identity=BOB)
    assert stores.runtime.runs == 0


def test_the_owner_is_checked_before_the_scope(one: Process, stores: Stores) -> None:
    session = one.begin()
    with pytest.raises(NotFound):
        one.execute(session, identity=Identity("bob", frozenset()))
    with pytest.raises(Forbidden):
        one.execute(session, identity=Identity("alice", frozenset({"execute:rust"})))
    assert stores.runtime.runs == 0
    assert result(one.execute(session, identity=PYTHONIST)) == (1, False)


def test_params_fit_the_functions_schema(one: Process, stores: Stores) -> None:
    name = LanguageTitle("python", "checked")
    predefine(stores, name, schema='{"params": {"type": "object", "required": ["a"]}}')
    session = one.begin(script=None, name=name)
    with pytest.raises(InvalidParams):
        one.execute(session, {"b": 1})
    assert stores.runtime.runs == 0
    assert result(one.execute(session, {"a": 1})) == (1, False)


def test_a_place_in_the_window_is_taken_once_with_the_first_trip(one: Process, stores: Stores) -> None:
    session = one.begin()
    stores.redis.asked.clear()
    admission = one.admission(3)
    one.execute(session, admission=admission)
    assert stores.redis.asked == ["begin", "finish_later"]
    assert admission.headers()["RateLimit-Remaining"] == "2"


def test_a_session_that_is_not_remembered_costs_a_place_before_it_is_looked_for(one: Process) -> None:
    admission = one.admission(3)
    with pytest.raises(NotFound):
        one.execute(new_session(), admission=admission)
    assert admission.headers()["RateLimit-Remaining"] == "2"


@pytest.mark.parametrize("away", [False, True])
def test_a_full_window_refuses_hits_and_runs(one: Process, stores: Stores, away: bool) -> None:
    session = one.begin()
    stores.redis.away = away
    one.execute(session, admission=one.admission(1))
    with pytest.raises(RateLimited):
        one.execute(session, admission=one.admission(1))
    assert (stores.runtime.runs, one.count(session)) == (1, 1)


@pytest.mark.parametrize(("code", "executed"), [("RUNTIME_ERROR", 1), ("TIMEOUT", 1), ("RATE_LIMITED", 0)])
def test_a_failure_is_raised_and_not_kept(one: Process, stores: Stores, code: str, executed: int) -> None:
    session = one.begin()
    for run in ("run 1", "run 2"):
        with pytest.raises(ServiceError, match=run) as failed:
            one.execute(session, {"fails": code})
        assert (failed.value.code, failed.value.request_id) == (code, session.request_id)
    assert one.count(session) == 2 * executed
    assert stores.postgres.session(session.request_id).execution_count == 2 * executed


def test_what_is_no_error_of_the_service_is_an_internal_one(one: Process) -> None:
    session = one.begin()
    with pytest.raises(ServiceError, match="an internal error") as failed:
        one.execute(session, {"breaks": True})
    assert isinstance(failed.value.__cause__, ArithmeticError)
    assert one.count(session) == 0


def test_a_session_that_is_not_retained_succeeds_once(one: Process, other: Process) -> None:
    session = one.begin(retain_session=False)
    with pytest.raises(ScriptFailed):
        one.execute(session, {"fails": "RUNTIME_ERROR"})
    assert result(other.execute(session)) == (2, False)
    for process in (one, other):
        with pytest.raises(NotFound):
            process.execute(session)
    one.logger.flush()
    other.logger.flush()
    status = one.sessions.describe(session.request_id, "alice").document()
    assert (status.status, status.execution_count) == ("closed", 2)


def test_a_failure_ends_no_session(one: Process, stores: Stores) -> None:
    session = one.begin(retain_session=False)
    with pytest.raises(ScriptFailed):
        one.execute(session, {"fails": "RUNTIME_ERROR"})
    one.logger.flush()
    assert stores.postgres.session(session.request_id).session.status == "active"
    assert one.sessions.remembers(session.request_id)


def test_a_hit_ends_a_session_that_is_not_retained(one: Process, stores: Stores) -> None:
    one.execute(one.begin())
    session = one.begin(retain_session=False)
    assert result(one.execute(session)) == (1, True)
    one.logger.flush()
    assert stores.postgres.session(session.request_id).session.status == "closed"
    with pytest.raises(NotFound):
        one.execute(session)


def test_of_two_successes_at_the_same_time_one_is_answered(
    one: Process, other: Process, stores: Stores
) -> None:
    session = one.begin(retain_session=False)
    first = one.ask(session, {"held": True, "who": 1})
    second = other.ask(session, {"held": True, "who": 2})
    stores.runtime.release()
    assert first.get(timeout=PATIENCE).cached is False
    with pytest.raises(NotFound):
        second.get(timeout=PATIENCE)
    assert one.count(session) == 1


@pytest.mark.parametrize("status", ["deleted", "closed"])
def test_a_session_that_ended_elsewhere_answers_neither_hit_nor_run(
    one: Process, other: Process, stores: Stores, status: str
) -> None:
    session = one.begin()
    one.execute(session)
    other.sessions.end(other.sessions.get(session.request_id, "alice"), status)
    for params in ({}, {"a": 1}):
        with pytest.raises(NotFound):
            one.execute(session, params)
    assert stores.runtime.runs == 1
    assert not one.sessions.remembers(session.request_id)


def test_a_session_that_redis_has_lost_is_put_back_and_counts_on(one: Process, stores: Stores) -> None:
    session = one.begin()
    one.execute(session)
    stores.lose_redis()
    assert result(one.execute(session)) == (2, False)
    assert one.cache.session(session.request_id) is not None
    assert one.count(session) == 2


def test_a_hit_in_a_session_that_redis_has_lost_counts_once(one: Process, stores: Stores) -> None:
    session = one.begin()
    one.execute(session)
    stores.lose_session(session)
    assert result(one.execute(session)) == (1, True)
    assert one.count(session) == 2
    stores.lose_session(session)
    assert one.count(session) == 2


def test_a_session_that_redis_has_lost_while_postgres_is_away_is_served(one: Process, stores: Stores) -> None:
    session = one.begin()
    stores.lose_redis()
    stores.postgres.away = True
    assert [result(one.execute(session)) for _ in range(2)] == [(1, False), (1, True)]
    stores.postgres.away = False
    assert one.count(session) == 2
    assert stores.postgres.session(session.request_id).uncounted == 2


def test_without_redis_every_request_runs_and_counts(one: Process, stores: Stores) -> None:
    session = one.begin()
    one.execute(session)
    stores.redis.away = True
    assert [result(one.execute(session)) for _ in range(2)] == [(2, False), (3, False)]
    assert stores.postgres.session(session.request_id).uncounted == 2
    stores.redis.away = False
    assert one.count(session) == 3


def test_without_redis_an_ended_session_is_known_by_postgres(
    one: Process, other: Process, stores: Stores
) -> None:
    session = one.begin()
    stores.redis.away = True
    other.sessions.end(other.sessions.get(session.request_id, "alice"), "deleted")
    with pytest.raises(NotFound):
        one.execute(session)
    assert stores.runtime.runs == 0


def test_without_both_stores_a_remembered_session_runs_and_no_other(
    one: Process, other: Process, stores: Stores
) -> None:
    session = one.begin()
    stores.redis.away = stores.postgres.away = True
    assert result(one.execute(session)) == (1, False)
    with pytest.raises(StoreUnavailable):
        other.execute(session)


def test_a_language_without_a_runtime_is_not_found(one: Process) -> None:
    session = new_session(name=LanguageTitle("cobol", "x"))
    one.cache.put_session(session)
    with pytest.raises(NotFound, match="cobol"):
        one.execute(session)


def test_the_records_of_an_execution_say_what_happened(one: Process, stores: Stores) -> None:
    session = one.begin()
    one.execute(session)
    one.execute(session)
    labels = {"endpoint": "execute", "language": "python", "code": "ok"}
    assert one.sample("lambda_requests_total", **labels) == 2
    assert one.sample("lambda_runtime_execution_seconds_count", language="python") == 1
