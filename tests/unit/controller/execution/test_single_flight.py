"""SingleFlight on a store in memory: who runs, who follows, and what a client that hangs up ends."""

from collections import Counter
from typing import Any

import pytest

from controller.errors import NotFound, ScriptFailed, ServiceError
from controller.execution.twin_history import ALONE
from controller.models.registered import Session
from controller.models.requests import CacheDirectives
from tests.unit.controller.doubles import settle
from tests.unit.controller.heart import BOB, PATIENCE, Client, Process, Stores, result

FRESH = CacheDirectives(reuse=False)
HELD = {"held": True}
#: Milliseconds of a lease that a test waits for.
SHORT_MS = 20


def test_equal_requests_of_one_process_share_a_run(one: Process, stores: Stores) -> None:
    session = one.begin()
    asked = [one.ask(session, HELD) for _ in range(20)]
    stores.runtime.release()
    assert Counter(map(result, asked)) == {(1, False): 1, (1, True): 19}
    assert (stores.runtime.runs, one.count(session)) == (1, 20)
    assert one.sample("lambda_cache_lookups_total", result="coalesced") == 19


def test_equal_requests_of_two_processes_share_a_run(one: Process, other: Process, stores: Stores) -> None:
    # They need not share a session, only all that the result depends on.
    sessions = [process.begin() for process in (one, other)]
    leads = one.ask(sessions[0], HELD)
    follow = [other.ask(sessions[1], HELD) for _ in range(3)]
    assert stores.runtime.runs == 1
    stores.runtime.release()
    assert [result(asked) for asked in (leads, *follow)] == [(1, False)] + 3 * [(1, True)]
    assert [one.count(session) for session in sessions] == [1, 3]


def test_followers_in_another_process_wait_with_one_trip(
    one: Process, other: Process, stores: Stores
) -> None:
    session = one.begin()
    one.ask(session, HELD)
    follow = [other.ask(session, HELD) for _ in range(3)]
    assert stores.redis.asked.count("reply") == 1
    stores.runtime.release()
    assert [result(asked) for asked in follow] == [(1, True)] * 3


@pytest.mark.parametrize("difference", ["params", "deadline", "isolation", "owner", "script"])
def test_requests_that_differ_run_apart(
    one: Process, other: Process, stores: Stores, difference: str
) -> None:
    session = one.begin()
    changes: dict[str, dict[str, Any]] = {
        "deadline": {"timeout_ms": 200},
        "isolation": {"isolation": "execution"},
        "owner": {"identity": BOB},
        "script": {"script": "result = 2"},
    }
    second = other.begin(**changes.get(difference, {}))
    params = HELD | ({"more": 1} if difference == "params" else {})
    who = {"identity": BOB} if difference == "owner" else {}
    asked = [one.ask(session, HELD), other.ask(second, params, **who)]
    assert stores.runtime.runs == 2
    stores.runtime.release()
    assert sorted(map(result, asked)) == [(1, False), (2, False)]


def test_a_user_never_gets_another_users_result(one: Process, stores: Stores) -> None:
    one.execute(one.begin())
    assert result(one.execute(one.begin(identity=BOB), identity=BOB)) == (2, False)


@pytest.mark.parametrize(
    ("code", "executed"), [("RUNTIME_ERROR", True), ("TIMEOUT", True), ("RATE_LIMITED", False)]
)
def test_followers_share_the_error(
    one: Process, other: Process, stores: Stores, code: str, executed: bool
) -> None:
    session = one.begin()
    params = HELD | {"fails": code}
    asked = [process.ask(session, params) for process in (one, one, other, other)]
    stores.runtime.release()
    for request in asked:
        with pytest.raises(ServiceError, match="run 1") as failed:
            request.get(timeout=PATIENCE)
        assert (failed.value.code, failed.value.request_id) == (code, session.request_id)
    assert stores.runtime.runs == 1
    assert one.count(session) == (4 if executed else 0)
    # What did not run is not counted, so a follower needs no trip for it.
    assert stores.redis.asked.count("finish_later") == (4 if executed else 1)


def test_each_follower_gets_a_separate_error(one: Process, stores: Stores) -> None:
    session = one.begin()
    asked = [one.ask(session, HELD | {"fails": "RUNTIME_ERROR"}) for _ in range(2)]
    stores.runtime.release()
    errors = []
    for request in asked:
        with pytest.raises(ScriptFailed) as failed:
            request.get(timeout=PATIENCE)
        errors.append(failed.value)
    assert errors[0] is not errors[1]


def test_a_follower_has_used_nothing(one: Process, stores: Stores) -> None:
    session = one.begin()
    leads, follows = (one.ask(session, HELD) for _ in range(2))
    stores.runtime.release()
    for request in (leads, follows):
        request.get(timeout=PATIENCE)
    assert [call.run and call.run.usage for call in one.calls] == [{"cold": True}, {}]


def test_no_cache_runs_beside_a_run_and_its_result_is_the_one_that_is_kept(
    one: Process, other: Process, stores: Stores
) -> None:
    session = one.begin()
    old = one.ask(session, HELD)
    fresh = [one.ask(session, HELD, directives=FRESH), other.ask(session, HELD, directives=FRESH)]
    assert stores.runtime.runs == 3
    stores.runtime.release()
    assert result(old) == (1, False)
    newest = max(map(result, fresh))
    assert newest == (3, False)
    assert result(one.execute(session, HELD)) == (3, True)


def test_no_cache_is_not_followed(one: Process, stores: Stores) -> None:
    session = one.begin()
    fresh = one.ask(session, HELD, directives=FRESH)
    asked = one.ask(session, HELD)
    assert stores.runtime.runs == 2
    stores.runtime.release()
    assert [result(fresh), result(asked)] == [(1, False), (2, False)]


def test_no_cache_hides_no_run_from_its_followers(one: Process, stores: Stores) -> None:
    session, client = one.begin(), Client()
    leads = one.ask(session, HELD)
    one.ask(session, HELD, client=client, directives=FRESH)
    client.hang_up()
    follows = one.ask(session, HELD)
    assert stores.runtime.runs == 2
    stores.runtime.release()
    assert result(leads)[0] == result(follows)[0] == 1


def test_a_run_ends_with_the_last_client_that_hangs_up(one: Process, stores: Stores) -> None:
    session = one.begin()
    clients = [Client(), Client()]
    for client in clients:
        one.ask(session, HELD, client=client)
    clients[0].hang_up()
    assert stores.runtime.abandoned == 0
    clients[1].hang_up()
    assert stores.runtime.abandoned == 1
    # Its lease is given up: nothing holds the next one up, in this process or in another.
    stores.runtime.release()
    assert result(one.execute(session, HELD)) == (2, False)
    assert one.count(session) == 1
    assert one.sample("lambda_requests_total", endpoint="execute", language="python", code="client_gone") == 2


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_a_run_goes_on_while_a_follower_waits(
    one: Process, other: Process, stores: Stores, where: str
) -> None:
    session, client = one.begin(), Client()
    one.ask(session, HELD, client=client)
    staying = (one if where == "here" else other).ask(session, HELD)
    client.hang_up()
    assert stores.runtime.abandoned == 0
    stores.runtime.release()
    assert result(staying) == (1, True)
    # The request that led was not answered, so it does not count.
    assert (stores.runtime.runs, one.count(session)) == (1, 1)


def test_a_new_follower_joins_a_run_that_its_leader_has_left(one: Process, stores: Stores) -> None:
    session, client = one.begin(), Client()
    one.ask(session, HELD, client=client)
    follows = one.ask(session, HELD)
    client.hang_up()
    late = one.ask(session, HELD)
    stores.runtime.release()
    assert [result(follows), result(late)] == [(1, True)] * 2
    assert stores.runtime.runs == 1


def test_a_follower_that_leaves_disturbs_no_other(one: Process, other: Process, stores: Stores) -> None:
    session, client = one.begin(), Client()
    leads = one.ask(session, HELD)
    other.ask(session, HELD, client=client)
    client.hang_up()
    follows = [other.ask(session, HELD) for _ in range(2)]
    stores.runtime.release()
    assert [result(leads), *map(result, follows)] == [(1, False), (1, True), (1, True)]
    assert one.count(session) == 3


def test_no_cache_ends_with_its_own_client(one: Process, stores: Stores) -> None:
    session, client = one.begin(), Client()
    one.ask(session, HELD, client=client, directives=FRESH)
    client.hang_up()
    assert stores.runtime.abandoned == 1


def test_followers_share_the_one_success_of_a_session_that_is_not_retained(
    one: Process, other: Process, stores: Stores
) -> None:
    session = one.begin(retain_session=False)
    asked = [process.ask(session, HELD) for process in (one, one, other, other)]
    stores.runtime.release()
    assert Counter(map(result, asked)) == {(1, False): 1, (1, True): 3}
    with pytest.raises(NotFound):
        one.execute(session, HELD)
    settle()
    assert one.sessions.describe(session.request_id, "alice").state == "closed"


def test_nothing_of_a_flight_stays_behind(one: Process, stores: Stores) -> None:
    session, client = one.begin(), Client()
    one.ask(session, HELD | {"a": 1}, client=client)
    client.hang_up()
    asked = one.ask(session, HELD)
    stores.runtime.release()
    asked.get(timeout=PATIENCE)
    assert one.flights._flights == {}
    assert one.flights._beginning == set()


def lonely(process: Process, **asked: Any) -> Session:
    """A session that has met no equal executions."""
    session = process.begin(**asked)
    for number in range(ALONE):
        process.execute(session, {"number": number})
    return session


def test_a_session_without_twins_claims_nothing(one: Process, other: Process, stores: Stores) -> None:
    session = lonely(one)
    asked = [process.ask(session, HELD) for process in (one, other)]
    assert stores.runtime.runs == ALONE + 2
    stores.runtime.release()
    assert {result(request)[1] for request in asked} == {False}
    assert one.count(session) == ALONE + 2


def test_twins_in_one_process_share_a_run_that_claims_nothing(one: Process, stores: Stores) -> None:
    session = lonely(one)
    asked = [one.ask(session, HELD) for _ in range(5)]
    stores.runtime.release()
    assert Counter(map(result, asked)) == {(ALONE + 1, False): 1, (ALONE + 1, True): 4}


def test_a_run_that_claims_nothing_goes_on_until_its_last_client_has_hung_up(
    one: Process, stores: Stores
) -> None:
    session, leads, follows = lonely(one), Client(), Client()
    for client in (leads, follows):
        one.ask(session, HELD, client=client)
    late = one.ask(session, HELD)
    leads.hang_up()
    follows.hang_up()
    assert stores.runtime.abandoned == 0
    stores.runtime.release()
    # The request that led was not answered, so it does not count, nor does its follower.
    assert result(late) == (ALONE + 1, True)
    assert one.count(session) == ALONE + 1
    settle()
    assert one.sample("lambda_requests_total", endpoint="execute", language="python", code="client_gone") == 2


@pytest.mark.parametrize("last", ["leads", "follows"])
def test_a_run_that_claims_nothing_ends_with_its_last_client(one: Process, stores: Stores, last: str) -> None:
    session, clients = lonely(one), {"leads": Client(), "follows": Client()}
    for client in clients.values():
        one.ask(session, HELD, client=client)
    clients.pop("follows" if last == "leads" else "leads").hang_up()
    assert stores.runtime.abandoned == 0
    clients[last].hang_up()
    assert stores.runtime.abandoned == 1
    assert one.flights._flights == {}
    stores.runtime.release()
    assert result(one.execute(session, HELD)) == (ALONE + 2, False)
    assert one.sample("lambda_requests_total", endpoint="execute", language="python", code="client_gone") == 2


@pytest.mark.parametrize("meets", ["a twin", "a kept result"])
def test_a_session_that_meets_an_equal_execution_claims_again(
    one: Process, other: Process, stores: Stores, meets: str
) -> None:
    session = lonely(one)
    if meets == "a twin":
        twins = [one.ask(session, HELD) for _ in range(2)]
        stores.runtime.release()
        assert {result(twin)[1] for twin in twins} == {False, True}
    else:
        assert result(one.execute(session, {"number": 0}))[1]
    asked = [process.ask(session, HELD | {"later": True}) for process in (one, other)]
    stores.runtime.release()
    assert {result(request)[1] for request in asked} == {False, True}


def test_a_session_that_claims_joins_a_flight_of_its_process_that_does_not(
    one: Process, other: Process, stores: Stores
) -> None:
    first = lonely(one)
    leads = one.ask(first, HELD)
    follows = one.ask(one.begin(), HELD)
    assert stores.runtime.runs == ALONE + 1
    stores.runtime.release()
    assert [result(leads)[1], result(follows)[1]] == [False, True]
    # The lease that the second one got holds up no request of another process.
    other.cache.drop_results(first.user_id, first.name.language, first.script_hash)
    assert result(other.execute(first, HELD)) == (ALONE + 2, False)


def test_a_refresh_beside_a_run_that_claims_nothing_keeps_the_newer_result(
    one: Process, other: Process, stores: Stores
) -> None:
    session = lonely(one)
    old, new = one.ask(session, HELD), other.ask(session, HELD, directives=FRESH)
    stores.runtime.release()
    answers = [result(old), result(new)]
    assert answers == [(ALONE + 1, False), (ALONE + 2, False)]
    fresh = ALONE + 2
    assert result(one.execute(session, HELD)) == (fresh, True)


@pytest.mark.parametrize(
    ("begun", "asked", "end"),
    [({}, {}, "finish_later"), ({}, {"key": "k"}, "finish"), ({"retain_session": False}, {}, "finish")],
    ids=["plain", "with a key", "not retained"],
)
def test_an_answer_waits_for_its_end_only_where_that_is_promised(
    one: Process, stores: Stores, begun: dict[str, Any], asked: dict[str, Any], end: str
) -> None:
    session = one.begin(**begun)
    stores.redis.asked.clear()
    one.execute(session, **asked)
    assert [name for name in stores.redis.asked if name.startswith("finish")] == [end]
