"""What takes two controllers in two processes, real stores and clients that hang up.

`tests/unit/controller/execution/` has the rules of single flight and idempotency keys, on stores in memory that pass
the same contract suite as Redis and PostgreSQL.
"""

import os
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest
import requests

from local.stores.redis import RedisServer
from tests.acceptance.client import Client, error_of
from tests.databases import Database
from tests.integration.controller.pair import SCRIPT, Crowd, Pair, ask_all, hang_up
from tests.waiting import until


@pytest.fixture
def mark() -> str:
    return str(uuid.uuid4())


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    return Crowd(20)


def hung_up(client: Client) -> float:
    """How many clients have left their executions at the controller."""
    text = client.request("GET", "/metrics").text
    name = 'lambda_requests_total{code="client_gone",endpoint="execute",language="python"}'
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


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
    # The one that hung up was not answered. The other process may count a moment after its answer.
    until(lambda: clients[0].session(session).json()["execution_count"] == 1, "one is counted")


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


def test_a_hit_is_one_trip_to_redis_and_a_miss_two(pair: Pair, mark: str) -> None:
    client, _ = pair.clients()
    session = client.begin("python-trips", SCRIPT)
    commands = []
    for scripts in (2, 1):
        before, trips = pair.redis.info("commandstats"), pair.trips() + scripts
        client.result(session, {"mark": mark})
        # The answer to a run does not wait for its second trip.
        until(partial(pair.made, trips), "all trips are made")
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


def test_without_redis_a_key_is_refused(pair_without_redis: Pair, mark: str) -> None:
    client, _ = pair_without_redis.clients()
    session = client.begin("python-once", SCRIPT)
    refused = client.execute(session, {"mark": mark}, Idempotency_Key="k")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    error_of(refused, "STORE_UNAVAILABLE")
    assert pair_without_redis.runtime.runs[mark] == 0
    assert client.result(session, {"mark": mark}) == 1


def test_without_redis_each_process_limits_on_its_own(pair_without_redis: Pair, mark: str) -> None:
    one, other = pair_without_redis.clients()
    session = one.begin("python-limited", SCRIPT)
    for client in (one, other):
        answers = [client.execute(session, {"mark": mark}) for _ in range(7)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
        assert answers[-1].headers["RateLimit-Remaining"] == "0"


@pytest.fixture
def limited(
    tmp_path_factory: pytest.TempPathFactory, postgres_database: Database, redis_server: RedisServer
) -> Iterator[Pair]:
    """Two controllers with the limits that the contract names."""
    with Pair(tmp_path_factory.mktemp("limited"), postgres_database, redis_server) as made:
        yield made


def test_the_limit_of_a_minute_holds_over_two_processes(limited: Pair, crowd: Crowd, mark: str) -> None:
    one, other = limited.clients()
    session = one.begin("python-limited", SCRIPT)
    params = {"mark": mark}
    started = time.monotonic()
    asked = crowd.ask(partial(one.execute, session, params), 80)
    asked += crowd.ask(partial(other.execute, session, params), 80)
    answers = asked.answers()
    assert time.monotonic() - started < 60, "slower than the window that is tested"
    assert Counter(answer.status_code for answer in answers) == {200: 100, 429: 60}
    for answer in answers:
        assert answer.headers["RateLimit-Limit"] == "100"
        assert 1 <= int(answer.headers["RateLimit-Reset"]) <= 60
        if answer.status_code == 429:
            error_of(answer, "RATE_LIMITED")
            assert answer.headers["RateLimit-Remaining"] == "0"
            assert answer.headers["Retry-After"] == answer.headers["RateLimit-Reset"]
    left = sorted(int(answer.headers["RateLimit-Remaining"]) for answer in answers if answer.ok)
    assert left == list(range(100))
    # What was refused has not been counted, and other users have limits of their own.
    until(lambda: one.session(session).json()["execution_count"] == 100, "all are counted")
    stranger, _ = limited.clients()
    assert stranger.execute(stranger.begin("python-limited", SCRIPT), params).status_code == 200
