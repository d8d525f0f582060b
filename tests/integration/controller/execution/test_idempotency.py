"""Idempotency keys through HTTP: two controllers in two processes, on real PostgreSQL and Redis."""

import threading
import uuid
from functools import partial

import pytest

from tests.acceptance.client import error_of
from tests.integration.controller.pair import SCRIPT, Crowd, Pair, ask_all, hang_up
from tests.waiting import until

FRESH = {"X_Cache_Control": "no-cache"}
"""So that nothing but the key spares a run."""


@pytest.fixture
def mark() -> str:
    return str(uuid.uuid4())


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    return Crowd(20)


def test_a_repeat_is_answered_the_same_and_does_not_count(pair: Pair, mark: str) -> None:
    one, other = pair.clients()
    session = one.begin("python-once", SCRIPT)
    first = one.execute(session, {"mark": mark}, Idempotency_Key="k.1", **FRESH)
    again = other.execute(session, {"mark": mark}, Idempotency_Key="k.1", **FRESH)
    assert (again.status_code, again.json()) == (200, first.json())
    assert pair.runtime.runs[mark] == 1
    assert one.session(session).json()["execution_count"] == 1
    # Another key, and another session, are other executions.
    assert one.execute(session, {"mark": mark}, Idempotency_Key="k.2", **FRESH).json()["result"] == 2
    second = one.begin("python-once", SCRIPT)
    assert one.execute(second, {"mark": mark}, Idempotency_Key="k.1", **FRESH).json()["result"] == 3


@pytest.mark.parametrize(("code", "status"), [("RUNTIME_ERROR", 500), ("TIMEOUT", 504)])
def test_a_failure_of_the_script_is_answered_again(pair: Pair, mark: str, code: str, status: int) -> None:
    one, other = pair.clients()
    session = one.begin("python-once", SCRIPT)
    first, again = (
        client.execute(session, {"mark": mark, "fails": code}, Idempotency_Key="k") for client in (one, other)
    )
    assert (first.status_code, first.json()["request_id"]) == (status, session)
    assert (again.status_code, again.json()) == (status, first.json())
    assert pair.runtime.runs[mark] == 1


def test_what_is_not_the_scripts_failure_is_tried_again(pair: Pair, mark: str) -> None:
    one, other = pair.clients()
    session = one.begin("python-once", SCRIPT)
    params = {"mark": mark, "fails": "RATE_LIMITED"}
    messages = [
        error_of(client.execute(session, params, Idempotency_Key="k"), "RATE_LIMITED")["message"]
        for client in (one, other)
    ]
    assert messages == ["run 1", "run 2"]


def test_another_body_is_a_conflict(pair: Pair, mark: str) -> None:
    one, other = pair.clients()
    session = one.begin("python-once", SCRIPT)
    one.result(session, {"mark": mark}, Idempotency_Key="k")
    refused = other.execute(session, {"mark": mark, "more": 1}, Idempotency_Key="k")
    assert refused.status_code == 409
    error_of(refused, "IDEMPOTENCY_CONFLICT")


def test_a_repeat_during_the_first_run_waits_for_it(pair: Pair, crowd: Crowd, mark: str) -> None:
    one, other = pair.clients()
    session = one.begin("python-once", SCRIPT)
    requests_of = [
        (3, partial(client.execute, session, {"mark": mark, "held": True}, Idempotency_Key="k", **FRESH))
        for client in (one, other)
    ]
    asked = ask_all(pair, crowd, requests_of)
    until(lambda: pair.runtime.runs[mark] == 1, "the first one runs")
    pair.runtime.release(mark)
    documents = [answer.json() for answer in asked.answers()]
    assert [document["result"] for document in documents] == [1] * 6
    assert [document["cached"] for document in documents] == [False] * 6
    assert pair.runtime.runs[mark] == 1
    assert one.session(session).json()["execution_count"] == 1


def test_a_repeat_is_answered_after_the_session_has_ended(pair: Pair, mark: str) -> None:
    one, other = pair.clients()
    session = one.begin("python-once", SCRIPT, retain_session=False)
    first = one.execute(session, {"mark": mark}, Idempotency_Key="k")
    again = other.execute(session, {"mark": mark}, Idempotency_Key="k")
    assert (again.status_code, again.json()) == (200, first.json())
    error_of(other.execute(session, {"mark": mark}, Idempotency_Key="another"), "NOT_FOUND")
    error_of(other.execute(session, {"mark": mark, "more": 1}, Idempotency_Key="k"), "IDEMPOTENCY_CONFLICT")
    error_of(pair.clients()[0].execute(session, {"mark": mark}, Idempotency_Key="k"), "NOT_FOUND")


def test_a_run_with_a_key_outlives_its_client(pair: Pair, mark: str) -> None:
    one, other = pair.clients()
    session = one.begin("python-once", SCRIPT)
    params: dict[str, object] = {"mark": mark, "held": True}
    leaving = threading.Thread(target=hang_up, args=(one, session, params), kwargs={"Idempotency_Key": "k"})
    leaving.start()
    leaving.join()
    pair.runtime.release(mark)
    assert other.execute(session, params, Idempotency_Key="k").json()["result"] == 1
    assert (pair.runtime.runs[mark], pair.runtime.abandoned[mark]) == (1, 0)


@pytest.mark.parametrize("key", ["", "a b", "x" * 65, "ä"])
def test_a_malformed_key_is_refused(pair: Pair, key: str) -> None:
    client, _ = pair.clients()
    headers = {"Idempotency-Key": key.encode()}
    answer = client.request("POST", "/api/v1/execute/x", json={"params": {}}, headers=headers)
    assert answer.status_code == 400
    error_of(answer, "INVALID_REQUEST")


def test_without_redis_a_key_is_refused(pair_without_redis: Pair, mark: str) -> None:
    client, _ = pair_without_redis.clients()
    session = client.begin("python-once", SCRIPT)
    refused = client.execute(session, {"mark": mark}, Idempotency_Key="k")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    error_of(refused, "STORE_UNAVAILABLE")
    assert pair_without_redis.runtime.runs[mark] == 0
    assert client.result(session, {"mark": mark}) == 1
