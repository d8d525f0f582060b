"""Parameters of the specification, each seen at work."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import requests

from local.supervisor.ports import free_port
from tests.acceptance.client import Client, error_of
from tests.acceptance.deployment import Deployment
from tests.waiting import until

METRICS_PORT = free_port()


@pytest.fixture(scope="module")
def tuned(
    tmp_path_factory: pytest.TempPathFactory, node_program: str, rust_toolchain: Path
) -> Iterator[Deployment]:
    """A service that keeps results for a second and waits for no other service longer than a second."""
    with Deployment(
        tmp_path_factory.mktemp("tuned"),
        node_program,
        rust_toolchain,
        METRICS_PORT,
        languages=["python"],
        CACHE_TTL="1",
        REQUEST_TIMEOUT="1000",
        SESSIONS_PER_USER_MAX="3",
        FUNCTIONS_PER_USER_MAX="2",
    ) as deployment:
        yield deployment


@pytest.fixture
def client(tuned: Deployment) -> Client:
    return tuned.client()


@pytest.mark.covers("specification 9: CACHE_TTL")
def test_a_result_is_kept_for_cache_ttl(client: Client) -> None:
    request_id = client.begin("python-kept", "result = 1")
    assert [client.execute(request_id).json()["cached"] for _ in range(2)] == [False, True]
    until(lambda: client.execute(request_id).json()["cached"] is False, "the result expires")


@pytest.mark.covers("specification 9: METRICS_PORT")
def test_the_metrics_port_serves_the_metrics(client: Client) -> None:
    client.begin("python-counted", "result = 1")
    text = requests.get(f"http://127.0.0.1:{METRICS_PORT}/metrics", timeout=60).text
    assert 'lambda_sessions_created_total{language="python"}' in text


@pytest.mark.covers("specification 9: REQUEST_TIMEOUT")
def test_no_service_is_waited_for_longer_than_request_timeout(tuned: Deployment, client: Client) -> None:
    with closing(psycopg2.connect(tuned.postgres.url)) as opened, opened.cursor() as cursor:
        cursor.execute("LOCK TABLE functions IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        answer = client.request("GET", "/api/v1/functions")
        waited = time.monotonic() - started
    error_of(answer, "STORE_UNAVAILABLE")
    assert 0.9 < waited < 5


@pytest.mark.covers("RATE_LIMITED")
def test_a_users_sessions_and_functions_are_limited(client: Client) -> None:
    sessions = [client.begin(f"python-{title}", "result = 1") for title in ("a", "b")]
    third_function = client.initialize("python-c", "result = 1")
    sessions.append(client.begin("python-a"))
    fourth_session = client.initialize("python-a")
    for refused, bound in ((third_function, "2 registered functions"), (fourth_session, "3 live sessions")):
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) > 0
        assert bound in error_of(refused, "RATE_LIMITED")["message"]
    assert client.result(sessions[0]) == 1
    client.request("DELETE", f"/api/v1/sessions/{sessions[0]}")
    client.request("DELETE", "/api/v1/functions/python-b")
    until(
        lambda: client.initialize("python-c", "result = 1").status_code == 200,
        "the session's end is written, and there is room",
    )


@pytest.mark.covers("INTERNAL_ERROR")
def test_our_own_mistakes_tell_nothing_of_us(tuned: Deployment, client: Client) -> None:
    with closing(psycopg2.connect(tuned.postgres.url)) as opened, opened.cursor() as cursor:
        opened.autocommit = True
        cursor.execute("ALTER TABLE functions RENAME TO mislaid")
        try:
            answer = client.request("GET", "/api/v1/functions")
        finally:
            cursor.execute("ALTER TABLE mislaid RENAME TO functions")
    assert answer.status_code == 500
    error = error_of(answer, "INTERNAL_ERROR")
    assert (error["message"], error["details"]) == ("an internal error", {})
