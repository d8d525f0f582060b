"""Rate limits through HTTP: two controllers in two processes, with and without the Redis they share."""

import time
import uuid
from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest

from local.stores.redis import RedisServer
from tests.acceptance.client import error_of
from tests.databases import Database
from tests.integration.controller.pair import SCRIPT, Crowd, Pair


@pytest.fixture(scope="module")
def limited(
    tmp_path_factory: pytest.TempPathFactory, postgres_database: Database, redis_server: RedisServer
) -> Iterator[Pair]:
    """Two controllers with the limits that the contract names."""
    with Pair(tmp_path_factory.mktemp("limited"), postgres_database, redis_server) as made:
        yield made


def test_the_limit_of_a_minute_holds_over_two_processes(limited: Pair) -> None:
    one, other = limited.clients()
    session = one.begin("python-limited", SCRIPT)
    params = {"mark": str(uuid.uuid4())}
    crowd = Crowd(16)
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
    assert one.session(session).json()["execution_count"] == 100
    stranger, _ = limited.clients()
    assert stranger.execute(stranger.begin("python-limited", SCRIPT), params).status_code == 200


def test_what_can_be_no_session_takes_a_place_like_any_execution(limited: Pair) -> None:
    client, _ = limited.clients()
    answers = [client.execute(request_id) for request_id in ("unknown", "no id!", "x" * 65)]
    assert [error_of(answer, "NOT_FOUND") and answer.status_code for answer in answers] == [404] * 3
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["99", "98", "97"]


def test_every_endpoint_has_its_limit(limited: Pair) -> None:
    client, _ = limited.clients()
    begun = client.initialize("python-limited", SCRIPT)
    session = begun.json()["request_id"]
    limits = {
        "initialize": begun,
        "functions": client.request("GET", "/api/v1/functions"),
        "function": client.request("GET", "/api/v1/functions/nodejs-calculator"),
        "execute": client.execute(session, {"mark": "x"}),
        "session": client.session(session),
        "health": client.request("GET", "/health"),
    }
    told = {
        name: (answer.headers.get("RateLimit-Limit"), answer.headers.get("RateLimit-Remaining"))
        for name, answer in limits.items()
    }
    assert told == {
        "initialize": ("100", "99"),
        "functions": ("60", "59"),
        "function": ("60", "58"),
        "execute": ("100", "99"),
        "session": (None, None),
        "health": (None, None),
    }


def test_being_over_the_limit_comes_before_what_is_wrong_with_the_body_and_after_the_token(
    limited: Pair,
) -> None:
    client, _ = limited.clients()
    malformed = partial(
        client.request, "POST", "/api/v1/execute/x", data=b"{", headers={"Content-Type": "application/json"}
    )
    statuses = Counter(malformed().status_code for _ in range(103))
    assert statuses == {400: 100, 429: 3}
    assert client.execute("unknown", {}).status_code == 429
    assert client.request("POST", "/api/v1/execute/x", data=b"{").status_code == 415
    assert client.request("GET", "/api/v1/execute/x").status_code == 405
    refused = client.request("POST", "/api/v1/execute/x", json={}, headers={"Authorization": "Bearer x"})
    assert refused.status_code == 401
    assert "RateLimit-Limit" not in refused.headers


def test_without_redis_each_process_limits_on_its_own(pair_without_redis: Pair) -> None:
    one, other = pair_without_redis.clients()
    session = one.begin("python-limited", SCRIPT)
    params = {"mark": str(uuid.uuid4())}
    for client in (one, other):
        answers = [client.execute(session, params) for _ in range(7)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
        assert answers[-1].headers["RateLimit-Remaining"] == "0"


def test_a_limit_that_is_off_is_not_told(pair: Pair) -> None:
    client, _ = pair.clients()
    answer = client.initialize("python-limited", SCRIPT)
    assert "RateLimit-Limit" not in answer.headers
