"""Usage and executions over HTTP: what one controller ran, the other one tells, and to its caller alone."""

from typing import Any

import pytest

from tests.acceptance.client import Client, error_of
from tests.integration.controller.pair import SCRIPT, Pair
from tests.waiting import until

NAME = "python-told"
FUNCTION = f"/api/v1/functions/{NAME}"
PARAMS = {"mark": "told", "n": 2**60, "password": "hidden", "text": "<b>\x00é</b>"}
FAILING = {"mark": "failing", "fails": "RUNTIME_ERROR"}
SHOWN = PARAMS | {"password": "***"}


@pytest.fixture
def clients(pair: Pair) -> tuple[Client, Client]:
    return pair.clients("execute:all read:functions keys")


def executions(client: Client, query: str = "") -> Any:
    answer = client.request("GET", f"/api/v1/executions{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()["executions"]


def run(one: Client, other: Client) -> None:
    """Run by name, the same from the cache, and by id, which fails. Return when all have rows."""
    assert one.request("PUT", FUNCTION, json={"script_content": SCRIPT}).status_code == 201
    for client in (one, other):
        assert client.request("POST", f"{FUNCTION}/execute", json={"params": PARAMS}).status_code == 200
    error_of(other.execute(one.begin(NAME), FAILING), "RUNTIME_ERROR")
    until(lambda: len(executions(other)) == 3, "the rows are written")


@pytest.mark.covers("history: own executions alone, masked, the newest first")
def test_executions_of_all_controllers_are_listed_as_the_log_has_them(clients: tuple[Client, Client]) -> None:
    one, other = clients
    run(one, other)
    for client in clients:
        rows = executions(client)
        assert [row["created_at"] for row in rows] == sorted(
            (row["created_at"] for row in rows), reverse=True
        )
        by_name = executions(client, f"?function={NAME}@1&per_page=2")
        assert [row["version"] for row in by_name] == [1, 1]
        assert {row["cached"] for row in by_name} == {True, False}
        assert [row["params"] for row in by_name] == [SHOWN, SHOWN]
        (by_id,) = (row for row in rows if row["version"] is None)
        assert (by_id["params"], by_id["language_title"]) == (FAILING, NAME)
        assert (by_id["status_code"], by_id["code"], by_id["result"]) == (500, "RUNTIME_ERROR", None)
        assert by_id["error"]["message"].startswith("run ")
        assert executions(client, "?status=error") == [by_id]
        assert executions(client, "?since=2199-01-01T00:00:00Z") == []
    stranger = one.speaking_for("somebody-else")
    assert NAME not in stranger.request("GET", "/api/v1/executions?per_page=100").text


@pytest.mark.covers("history: figures count each execution once")
def test_figures_count_each_execution_once(clients: tuple[Client, Client]) -> None:
    one, other = clients
    run(one, other)
    hourly, daily = (
        client.request("GET", f"/api/v1/usage?bucket={bucket}").json()
        for client, bucket in ((one, "hour"), (other, "day"))
    )
    for answer in (hourly, daily):
        total = answer["total"]
        assert (total["executions"], total["cached"], total["errors"]) == (3, 1, {"RUNTIME_ERROR": 1})
        assert total["wall_ms"] > 0
        assert sum(bucket["executions"] for bucket in answer["buckets"]) == 3
    assert hourly["total"] == daily["total"]


@pytest.mark.covers("history: no token 401, bound key and no scope 403")
@pytest.mark.parametrize("path", ["/api/v1/usage", "/api/v1/executions", "/api/v1/isolation"])
def test_who_may_not_read(clients: tuple[Client, Client], path: str) -> None:
    one, other = clients
    assert one.request("PUT", FUNCTION, json={"script_content": SCRIPT}).status_code in (200, 201)
    body = {"name": "bound", "scope": "read:functions", "functions": [NAME]}
    key = one.request("POST", "/api/v1/keys", json=body).json()["key"]
    error_of(Client.with_token(other.url, one.sub, key).request("GET", path), "FORBIDDEN")
    error_of(one.speaking_for(one.sub, "execute:all").request("GET", path), "FORBIDDEN")
    error_of(Client.with_token(one.url, one.sub, "").request("GET", path), "UNAUTHORIZED")
    assert one.request("GET", path).status_code == 200
