"""Executions by name over HTTP, at two controllers."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.acceptance.client import Client
from tests.integration.controller.pair import Pair

NAME = "python-named"
PATH = f"/api/v1/functions/{NAME}"
CLIENTS = 8
#: Seconds between two executions of a client under load.
PACE = 0.02


@pytest.fixture
def clients(pair: Pair) -> tuple[Client, Client]:
    one, other = pair.clients()
    for script in ("result = 1", "result = 2"):
        assert one.request("PUT", PATH, json={"script_content": script}).status_code == 201
    return one, other


def execute(
    client: Client, ref: str = "", context: dict[str, Any] | None = None, **headers: str
) -> requests.Response:
    body = {"params": {"mark": client.sub}} | ({} if context is None else {"context": context})
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.request("POST", f"{PATH}{ref}/execute", json=body, headers=named)


@pytest.mark.covers("functions: by name as by id, with the version")
def test_by_name_is_answered_as_by_id_with_the_version(clients: tuple[Client, Client]) -> None:
    one, other = clients
    answer = execute(one).json()
    assert set(answer) == {"request_id", "language_title", "execution_time", "cached", "result", "version"}
    assert (answer["language_title"], answer["version"], answer["cached"]) == (NAME, 2, False)
    again = execute(other).json()
    assert again == answer | {"cached": True}
    assert one.session(answer["request_id"]).json()["execution_count"] == 2
    assert execute(one, "@1").json()["version"] == 1
    assert execute(one, "%401").json()["version"] == 1


@pytest.mark.parametrize("function", ["functions", "execute"])
def test_the_reference_may_stand_beside_the_path(clients: tuple[Client, Client], function: str) -> None:
    one, _ = clients
    body = {"params": {"mark": one.sub}}
    in_query = one.request("POST", f"/api/v1/{function}?function={NAME}@1", json=body)
    in_header = one.request("POST", f"/api/v1/{function}", json=body, headers={"X-Function": NAME})
    assert (in_query.json()["version"], in_header.json()["version"]) == (1, 2)
    assert one.request("POST", f"/api/v1/execute/{NAME}/execute", json=body).status_code == 404


def test_a_failure_of_the_script_names_the_session(clients: tuple[Client, Client]) -> None:
    one, _ = clients
    session = execute(one).json()["request_id"]
    body = {"params": {"mark": one.sub, "fails": "RUNTIME_ERROR"}}
    failed = one.request("POST", f"{PATH}/execute", json=body)
    assert (failed.status_code, failed.json()["request_id"]) == (500, session)


@pytest.mark.covers("functions: rollback under load, no 5xx, known within a second")
def test_a_rollback_under_load_is_known_within_a_second_and_fails_nothing(
    clients: tuple[Client, Client],
) -> None:
    for client in clients:
        assert execute(client).json()["version"] == 2
    ended = threading.Event()
    seen: list[tuple[float, int, int]] = []

    def ask(number: int) -> None:
        client = clients[number % 2].again()
        while not ended.wait(PACE):
            started = time.monotonic()
            answer = execute(client)
            seen.append((started, answer.status_code, answer.json().get("version", 0)))

    with ThreadPoolExecutor(CLIENTS) as threads:
        asked = [threads.submit(ask, number) for number in range(CLIENTS)]
        try:
            before = len(seen)
            while len(seen) < before + 10 * CLIENTS:
                time.sleep(0.01)
            moved = clients[0].request("PUT", f"{PATH}/aliases/live", json={"version": 1})
            at = time.monotonic()
            assert moved.status_code == 201
            while not seen or seen[-1][0] < at + 2:
                time.sleep(0.01)
        finally:
            ended.set()
        for one in asked:
            one.result(timeout=60)
    assert {status for _, status, _ in seen} == {200}
    assert {version for started, _, version in seen if started > at + 1} == {1}
    assert {version for started, _, version in seen if started < at - 1} <= {2}
