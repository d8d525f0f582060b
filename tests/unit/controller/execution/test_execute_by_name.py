"""Executions by name on stores in memory: versions, sessions behind them, what a call may say."""

from dataclasses import replace
from typing import Any

import pytest

from controller.errors import (
    Forbidden,
    IdempotencyConflict,
    InvalidParams,
    InvalidRequest,
    NotFound,
    ScriptFailed,
    StoreUnavailable,
)
from controller.models.registered import FunctionRef, Identity
from controller.models.requests import CacheDirectives
from controller.models.stored import Alias, Held
from controller.registry.function_memory import FRESH, LIFE
from tests.unit.controller.doubles import settle
from tests.unit.controller.heart import ALICE, BOB, HELLO, Process, Stores, predefine, result

PLENTY = Held(9, 9)
ANONYMOUS = Identity("anonymous", frozenset({"execute:all"}), anonymous=True)


def test_a_version_runs_in_a_session_that_is_kept(one: Process, stores: Stores) -> None:
    one.put(script="result = 1")
    first = one.by_name({"a": 1})
    assert (first.version, first.language_title, first.cached) == (1, "python-hello", False)
    second = one.by_name({"a": 2})
    assert (second.request_id, result(second)) == (first.request_id, (2, False))
    assert one.by_name({"a": 1}).cached
    assert one.sessions.describe(first.request_id, "alice").execution_count == 3
    # It does not count against the quota of sessions.
    assert stores.postgres.held_by_user("alice", HELLO, PLENTY) == Held(0, 0)


def test_every_process_comes_to_the_same_session(one: Process, other: Process, stores: Stores) -> None:
    one.put(script="result = 1")
    session = one.by_name().request_id
    stores.postgres.asked.clear()
    assert other.by_name({"a": 1}).request_id == session
    assert "write_together" not in stores.postgres.asked
    assert other.by_name(identity=ALICE).request_id == session


def test_what_is_known_asks_the_store_nothing(one: Process, stores: Stores) -> None:
    one.put(script="result = 1")
    one.by_name()
    stores.postgres.asked.clear()
    stores.redis.asked.clear()
    one.by_name()
    assert stores.postgres.asked == []
    assert stores.redis.asked == ["begin"]


def test_each_user_and_version_has_a_session(one: Process) -> None:
    one.put(script="result = 1")
    one.put(script="result = 2")
    one.put(BOB, script="result = 1")
    ids = [
        one.by_name(ref=ref, identity=identity).request_id
        for identity, ref in ((ALICE, "1"), (ALICE, "2"), (BOB, "1"))
    ]
    assert len(set(ids)) == 3


def test_a_deleted_session_has_a_successor(one: Process, other: Process) -> None:
    one.put(script="result = 1")
    first = one.by_name().request_id
    other.by_name()
    one.sessions.end(one.sessions.live(first, "alice"), "deleted")
    second = one.by_name({"a": 1}).request_id
    assert second != first
    assert other.by_name({"a": 2}).request_id == second


def test_a_deleted_session_is_known_to_redis_or_postgres(
    one: Process, other: Process, stores: Stores
) -> None:
    one.put(script="result = 1")
    first = one.by_name().request_id
    one.sessions.end(one.sessions.live(first, "alice"), "deleted")
    one.logger.flush()
    stores.lose_redis()
    assert other.by_name().request_id != first


def test_an_alias_moves_for_all_processes(one: Process, other: Process) -> None:
    one.put(script="result = 1")
    one.put(script="result = 2")
    assert (one.by_name().version, other.by_name().version) == (2, 2)
    one.functions.put_alias(HELLO, "alice", "live", Alias(1))
    # The process that moves it knows at once, any other one when what it remembers has passed its life.
    assert (one.by_name().version, other.by_name().version) == (1, 2)
    other.clock.now += LIFE
    assert other.by_name().version == 1


def test_what_is_remembered_is_read_again_beside_the_requests(one: Process, other: Process) -> None:
    one.put(script="result = 1")
    other.by_name()
    one.put(script="result = 2")
    other.clock.now += FRESH
    assert other.by_name().version == 1
    settle()
    assert other.by_name().version == 2


def test_a_new_version_or_a_registration_is_known_to_its_process_at_once(one: Process) -> None:
    one.put(script="result = 1")
    assert one.by_name().version == 1
    one.put(script="result = 2")
    assert one.by_name().version == 2
    one.begin(script="result = 3")
    assert one.by_name().version == 3
    one.functions.delete_version(HELLO, "alice", 1)
    with pytest.raises(NotFound):
        one.by_name(ref="1")
    one.functions.delete(HELLO, "alice")
    with pytest.raises(NotFound):
        one.by_name()


def test_known_functions_run_on_while_postgres_is_away(one: Process, other: Process, stores: Stores) -> None:
    one.put(script="result = 1")
    one.by_name()
    stores.postgres.away = True
    one.clock.now += LIFE
    assert one.by_name({"a": 1}).version == 1
    with pytest.raises(StoreUnavailable):
        other.by_name()
    with pytest.raises(StoreUnavailable):
        one.put(script="result = 2")
    stores.postgres.away = False
    assert other.by_name().version == 1


@pytest.mark.parametrize("ref", ["9", "none"])
def test_a_reference_to_nothing_is_not_found(one: Process, ref: str) -> None:
    with pytest.raises(NotFound):
        one.by_name(ref=ref)
    one.put(script="result = 1")
    with pytest.raises(NotFound):
        one.by_name(ref=ref)
    with pytest.raises(NotFound):
        one.by_name(identity=BOB)


def test_the_scope_is_checked_before_anything_is_begun(one: Process, stores: Stores) -> None:
    one.put(script="result = 1")
    reader = Identity("alice", frozenset({"read:functions"}))
    stores.runtime.prepared.clear()
    with pytest.raises(Forbidden):
        one.by_name(identity=reader)
    assert stores.runtime.prepared == []


def test_defaults_hold_where_the_call_says_nothing(one: Process, stores: Stores) -> None:
    defaults = {"timeout_ms": 70, "isolation": "execution", "context": {"a": 1, "b": 1}, "cache_ttl": 7}
    one.put(script="result = 1", defaults=defaults)
    one.by_name()
    ran = stores.runtime.sessions[-1]
    assert (ran.timeout_ms, ran.isolation, ran.context) == (70, "execution", {"a": 1, "b": 1})
    one.by_name(context={"b": 2}, timeout_ms=9_000_000, isolation="session")
    ran = stores.runtime.sessions[-1]
    assert (ran.timeout_ms, ran.isolation, ran.context) == (5000, "session", {"a": 1, "b": 2})
    # The context is part of a result's key.
    assert [one.by_name(context={"b": b}).cached for b in (1, 2, 3)] == [True, True, False]


def test_a_result_is_kept_as_long_as_the_defaults_or_the_call_say(one: Process) -> None:
    one.put(script="result = 1", defaults={"cache_ttl": 0})
    assert [one.by_name().cached for _ in range(2)] == [False, False]
    one.by_name(directives=CacheDirectives(max_age=60))
    assert one.by_name().cached


def test_params_and_results_are_held_to_their_schemas(one: Process, stores: Stores) -> None:
    schema: dict[str, Any] = {"params": {"required": ["a"]}, "result": {"maximum": 1}}
    one.put(script="result = 1", schema=schema)
    with pytest.raises(InvalidParams):
        one.by_name({})
    assert [result(one.by_name({"a": number})) for number in (1, 2)] == [(1, False), (2, False)]
    one.put(enforce_result=True)
    # Its key has the schema, so what was kept without one does not count.
    with pytest.raises(ScriptFailed) as refused:
        one.by_name({"a": 1})
    assert (refused.value.details["kind"], refused.value.details["errors"][0]["pointer"]) == (
        "result_invalid",
        "",
    )
    session = one.begin(script=None)
    with pytest.raises(ScriptFailed):
        one.execute(session, {"a": 1})
    with pytest.raises(InvalidParams):
        one.execute(session, {})
    assert stores.runtime.runs == 4
    # A script that is registered under the name changes nothing else.
    session = one.begin(script="result = 2")
    with pytest.raises(InvalidParams):
        one.execute(session, {})
    with pytest.raises(ScriptFailed):
        one.execute(session, {"a": 1})


def test_an_idempotency_key_counts_per_function(one: Process, other: Process) -> None:
    one.put(script="result = 1")
    first = one.by_name({"a": 1}, key="k")
    one.put(script="result = 2")
    repeated = other.by_name({"a": 1}, key="k")
    # The answer is the first one's, though another version is the newest now.
    assert (result(repeated)[0], repeated.version) == (result(first)[0], 1)
    with pytest.raises(IdempotencyConflict):
        one.by_name({"a": 2}, key="k")
    with pytest.raises(IdempotencyConflict):
        one.by_name({"a": 1}, key="k", context={"b": 1})
    session = one.begin(script=None)
    assert result(one.execute(session, {"a": 1, "b": 1}, key="k"))[0] != result(first)[0]


def test_a_canary_takes_its_share(one: Process) -> None:
    one.put(script="result = 1")
    one.put(script="result = 2")
    one.functions.put_alias(HELLO, "alice", "live", Alias(1, 2, 0.3))
    versions = [one.by_name(request=f"r-{number}").version for number in range(100)]
    assert versions == [one.by_name(request=f"r-{number}").version for number in range(100)]
    assert 10 < versions.count(2) < 50
    assert one.sample("lambda_references_total", kind="live", side="canary") == 2 * versions.count(2)
    assert one.sample("lambda_references_total", kind="live", side="main") == 2 * versions.count(1)


def test_callers_without_a_token_run_predefined_functions_only(one: Process, stores: Stores) -> None:
    one.put(replace(ANONYMOUS, anonymous=False), script="result = 1")
    with pytest.raises(NotFound):
        one.by_name(identity=ANONYMOUS)
    predefine(stores, HELLO)
    assert one.by_name(identity=ANONYMOUS, isolation="session").version == 1
    assert stores.runtime.sessions[-1].isolation == "execution"
    with pytest.raises(InvalidRequest):
        one.by_name(identity=ANONYMOUS, key="k")


def test_the_first_calls_at_once_begin_one_session(one: Process, stores: Stores) -> None:
    one.put(script="result = 1")
    stores.runtime.prepared.clear()
    asked = [one.ask_by_name({"a": number}) for number in range(20)]
    assert len({one.get(timeout=10).request_id for one in asked}) == 1
    assert stores.runtime.prepared == ["result = 1"]


def test_a_reference_is_written_as_it_is_read() -> None:
    assert str(FunctionRef(HELLO, "live")) == "python-hello@live"
    assert str(FunctionRef(HELLO)) == "python-hello"
