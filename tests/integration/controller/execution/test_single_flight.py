"""Single flight through HTTP: two controllers in two processes, on real PostgreSQL and Redis."""

import os
import signal
import threading
import uuid
from collections import Counter
from functools import partial

import pytest
import requests

from tests.acceptance.client import Client
from tests.integration.controller.pair import SCRIPT, Crowd, Pair, ask_all, hang_up
from tests.waiting import until


@pytest.fixture
def mark() -> str:
    return str(uuid.uuid4())


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    return Crowd(20)


def test_two_controllers_run_once(pair: Pair, crowd: Crowd, mark: str) -> None:
    one, other = pair.clients()
    # Equal executions need not share a session, only all that the result depends on.
    sessions = [client.begin("python-shared", SCRIPT) for client in (one, other)]
    params = {"mark": mark, "held": True}
    asked = ask_all(
        pair,
        crowd,
        [(10, partial(one.execute, sessions[0], params)), (10, partial(other.execute, sessions[1], params))],
    )
    pair.runtime.release(mark)
    answers = asked.answers()
    assert pair.runtime.runs[mark] == 1
    assert Counter((answer.status_code, answer.json()["cached"]) for answer in answers) == {
        (200, True): 19,
        (200, False): 1,
    }
    counts = [one.session(session).json()["execution_count"] for session in sessions]
    assert counts == [10, 10]


@pytest.mark.parametrize(
    ("code", "status"), [("RUNTIME_ERROR", 500), ("TIMEOUT", 504), ("RATE_LIMITED", 429)]
)
def test_followers_share_the_error_and_it_is_not_kept(
    pair: Pair, crowd: Crowd, mark: str, code: str, status: int
) -> None:
    one, other = pair.clients()
    session = one.begin("python-shared", SCRIPT)
    params = {"mark": mark, "held": True, "fails": code}
    asked = ask_all(
        pair,
        crowd,
        [(3, partial(one.execute, session, params)), (3, partial(other.execute, session, params))],
    )
    pair.runtime.release(mark)
    answers = asked.answers()
    assert pair.runtime.runs[mark] == 1
    assert {answer.status_code for answer in answers} == {status}
    assert {answer.json()["error"]["message"] for answer in answers} == {"run 1"}
    assert {answer.json()["request_id"] for answer in answers} == {session}
    assert one.execute(session, params).json()["error"]["message"] == "run 2"
    executed = 0 if code == "RATE_LIMITED" else 7
    assert other.session(session).json()["execution_count"] == executed


def test_users_never_share_a_run_or_a_result(pair: Pair, crowd: Crowd, mark: str) -> None:
    alice, bob = pair.clients()[0], pair.clients()[0]
    params = {"mark": mark, "held": True}
    sessions = [user.begin("python-shared", SCRIPT) for user in (alice, bob)]
    asked = ask_all(
        pair,
        crowd,
        [(1, partial(user.execute, own, params)) for user, own in zip((alice, bob), sessions, strict=True)],
    )
    until(lambda: pair.runtime.runs[mark] == 2, "both run")
    pair.runtime.release(mark)
    assert {answer.json()["result"] for answer in asked.answers()} == {1, 2}
    assert bob.execute(sessions[0], params).status_code == 404


@pytest.mark.parametrize("context", [{"timeout_ms": 1234}, {"isolation": "execution"}])
def test_another_deadline_or_isolation_shares_the_result_but_not_the_run(
    pair: Pair, crowd: Crowd, mark: str, context: dict[str, object]
) -> None:
    client, _ = pair.clients()
    sessions = [client.begin("python-shared", SCRIPT), client.begin("python-shared", SCRIPT, **context)]
    params = {"mark": mark, "held": True}
    asked = ask_all(pair, crowd, [(1, partial(client.execute, session, params)) for session in sessions])
    until(lambda: pair.runtime.runs[mark] == 2, "both run")
    pair.runtime.release(mark)
    assert {answer.json()["cached"] for answer in asked.answers()} == {False}
    assert {client.execute(session, params).json()["cached"] for session in sessions} == {True}


def test_no_cache_neither_joins_a_run_nor_is_undone_by_it(pair: Pair, crowd: Crowd, mark: str) -> None:
    one, other = pair.clients()
    session = one.begin("python-shared", SCRIPT)
    params = {"mark": mark, "held": True}
    old = ask_all(pair, crowd, [(1, partial(one.execute, session, params))])
    until(lambda: pair.runtime.runs[mark] == 1, "the first one runs")
    fresh = crowd.ask(partial(other.execute, session, params, X_Cache_Control="no-cache"), 1)
    until(lambda: pair.runtime.runs[mark] == 2, "the second one runs beside it")
    pair.runtime.release(mark)
    results = [asked.answers()[0].json() for asked in (old, fresh)]
    assert [(answer["result"], answer["cached"]) for answer in results] == [(1, False), (2, False)]
    assert one.execute(session, params).json()["result"] == 2


def hung_up(client: Client) -> float:
    """How many clients have left their executions at the controller."""
    text = client.request("GET", "/metrics").text
    name = 'lambda_requests_total{code="client_gone",endpoint="execute",language="python"}'
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


def test_a_run_ends_with_the_last_client_that_hangs_up(pair: Pair, mark: str) -> None:
    client, _ = pair.clients()
    session = client.begin("python-shared", SCRIPT)
    params: dict[str, object] = {"mark": mark, "held": True}
    leaving = [threading.Thread(target=hang_up, args=(client, session, params)) for _ in range(3)]
    for thread in leaving:
        thread.start()
    until(lambda: pair.runtime.abandoned[mark] == 1, "the run is ended")
    assert pair.runtime.runs[mark] == 1
    # Nothing of it holds the next one up.
    pair.runtime.release(mark)
    assert client.execute(session, params).json()["result"] == 2
    for thread in leaving:
        thread.join()
    assert client.session(session).json()["execution_count"] == 1


@pytest.mark.parametrize("where", [0, 1])
def test_a_run_goes_on_while_another_client_waits(pair: Pair, crowd: Crowd, mark: str, where: int) -> None:
    clients = pair.clients()
    session = clients[0].begin("python-shared", SCRIPT)
    params: dict[str, object] = {"mark": mark, "held": True}
    before = hung_up(clients[0])
    leaving = threading.Thread(target=hang_up, args=(clients[0], session, params))
    leaving.start()
    until(lambda: pair.runtime.runs[mark] == 1, "it runs")
    staying = ask_all(pair, crowd, [(1, partial(clients[where].execute, session, params))])
    leaving.join()
    until(lambda: hung_up(clients[0]) == before + 1, "the controller has seen the client go")
    pair.runtime.release(mark)
    document = staying.answers()[0].json()
    assert (document["result"], document["cached"]) == (1, True)
    assert (pair.runtime.runs[mark], pair.runtime.abandoned[mark]) == (1, 0)
    # The one that hung up was not answered.
    assert clients[0].session(session).json()["execution_count"] == 1


def test_a_follower_that_leaves_does_not_disturb_the_others(pair: Pair, crowd: Crowd, mark: str) -> None:
    one, other = pair.clients()
    session = one.begin("python-shared", SCRIPT)
    params: dict[str, object] = {"mark": mark, "held": True}
    running = crowd.ask(partial(one.execute, session, params), 1)
    until(lambda: pair.runtime.runs[mark] == 1, "it runs")
    before = hung_up(other)
    hang_up(other, session, params)
    until(lambda: hung_up(other) == before + 1, "the controller has seen the client go")
    waiting = ask_all(pair, crowd, [(3, partial(other.execute, session, params))])
    pair.runtime.release(mark)
    documents = [answer.json() for answer in running.answers() + waiting.answers()]
    assert [(document["result"], document["cached"]) for document in documents] == [(1, False)] + 3 * [
        (1, True)
    ]
    assert one.session(session).json()["execution_count"] == 4


def test_a_session_that_redis_has_lost_is_put_back_and_counts_on(pair: Pair, mark: str) -> None:
    clients = pair.clients()
    session = clients[0].begin("python-lost", SCRIPT)
    for _ in range(2):
        for client in clients:
            client.result(session, {"mark": mark})
        assert pair.redis.delete(f"v2:session:{session}") == 1
        for client in clients:
            client.session(
                session
            )  # each process writes what it has answered, which a moment later it would anyway
    for client in clients:
        client.result(session, {"mark": mark})
    assert [client.session(session).json()["execution_count"] for client in clients] == [6, 6]
    assert pair.runtime.runs[mark] == 1


def test_when_the_runner_dies_those_elsewhere_run_at_its_deadline(
    pair: Pair, crowd: Crowd, mark: str
) -> None:
    one, other = pair.clients()
    sessions = [client.begin("python-shared", SCRIPT, timeout_ms=100) for client in (one, other)]
    params: dict[str, object] = {"mark": mark, "held": True}
    lost = crowd.ask(partial(one.execute, sessions[0], params), 1)
    until(lambda: pair.runtime.runs[mark] == 1, "it runs")
    waiting = ask_all(pair, crowd, [(2, partial(other.execute, sessions[1], params))])
    os.killpg(pair.controllers[0].pid, signal.SIGKILL)
    pair.controllers[0].kill()
    pair.runtime.release(mark)
    try:
        documents = [answer.json() for answer in waiting.answers()]
        assert sorted(document["cached"] for document in documents) == [False, True]
        assert pair.runtime.runs[mark] == 2
        with pytest.raises(requests.ConnectionError):
            lost.answers()
    finally:
        pair.controllers[0].start()


def test_a_session_that_is_not_retained_succeeds_once(pair: Pair, crowd: Crowd, mark: str) -> None:
    one, other = pair.clients()
    session = one.begin("python-once", SCRIPT, retain_session=False)
    asked = ask_all(
        pair,
        crowd,
        [
            (1, partial(client.execute, session, {"mark": mark, "held": True, "who": number}))
            for number, client in enumerate((one, other))
        ],
    )
    until(lambda: pair.runtime.runs[mark] == 2, "both run")
    pair.runtime.release(mark)
    assert sorted(answer.status_code for answer in asked.answers()) == [200, 404]
    document = one.session(session).json()
    assert (document["status"], document["execution_count"]) == ("closed", 1)
    assert other.execute(session, {"mark": mark}).status_code == 404


def test_a_session_that_is_not_retained_shares_its_one_run(pair: Pair, crowd: Crowd, mark: str) -> None:
    one, other = pair.clients()
    session = one.begin("python-once", SCRIPT, retain_session=False)
    params = {"mark": mark, "held": True}
    asked = ask_all(pair, crowd, [(2, partial(client.execute, session, params)) for client in (one, other)])
    pair.runtime.release(mark)
    assert [answer.status_code for answer in asked.answers()] == [200] * 4
    assert pair.runtime.runs[mark] == 1
    assert one.execute(session, params).status_code == 404


def test_a_failure_does_not_end_a_session_that_is_not_retained(pair: Pair, mark: str) -> None:
    one, other = pair.clients()
    session = one.begin("python-once", SCRIPT, retain_session=False)
    assert one.execute(session, {"mark": mark, "fails": "RUNTIME_ERROR"}).status_code == 500
    assert other.execute(session, {"mark": mark}).status_code == 200
    assert one.execute(session, {"mark": mark}).status_code == 404


def test_a_kept_result_ends_a_session_that_is_not_retained(pair: Pair, mark: str) -> None:
    one, other = pair.clients()
    one.result(one.begin("python-once", SCRIPT), {"mark": mark})
    session = one.begin("python-once", SCRIPT, retain_session=False)
    assert other.execute(session, {"mark": mark}).json()["cached"] is True
    assert one.execute(session, {"mark": mark}).status_code == 404
    assert one.session(session).json()["status"] == "closed"


def test_a_hit_is_one_trip_to_redis_and_a_miss_two(pair: Pair, mark: str) -> None:
    client, _ = pair.clients()
    session = client.begin("python-trips", SCRIPT)
    commands = []
    for _ in range(2):
        before = pair.redis.info("commandstats")
        client.result(session, {"mark": mark})
        after = pair.redis.info("commandstats")
        commands.append(
            {name: after[name]["calls"] - before.get(name, {"calls": 0})["calls"] for name in after}
        )
    sent = [
        sum(made.get(f"cmdstat_{name}", 0) for name in ("evalsha", "eval", "blmove", "get"))
        for made in commands
    ]
    # Inside of a script: the look for the result, and of a miss one more, under the key of the version before.
    # Nothing else is sent.
    assert [made["cmdstat_evalsha"] for made in commands] == [2, 1]
    assert sent == [4, 2]


def test_a_function_that_is_registered_anew_forgets_the_old_ones_results(pair: Pair, mark: str) -> None:
    one, other = pair.clients()
    old = one.begin("python-changing", SCRIPT)
    kept = one.begin("python-other", "result = 2")
    for session in (old, kept):
        one.result(session, {"mark": mark})
        assert one.execute(session, {"mark": mark}).json()["cached"] is True
    other.begin("python-changing", SCRIPT)
    assert one.execute(old, {"mark": mark}).json()["cached"] is True, "the same text is no other function"
    other.begin("python-changing", "result = 3")
    assert one.execute(old, {"mark": mark}).json()["cached"] is False
    assert one.execute(kept, {"mark": mark}).json()["cached"] is True
