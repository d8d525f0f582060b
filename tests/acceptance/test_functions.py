"""Functions as things, with two controllers: bad input changes nothing, slow checks delay no other user, outages."""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from statistics import median
from typing import Any

import pytest
import requests

from controller.registry.references import Asker, point_of
from tests.acceptance.client import Client, error_of
from tests.acceptance.deployment import Deployment
from tests.waiting import until

ECHO = "def handle(params):\n    return params\n"
NAME = "python-thing"
PATH = f"/api/v1/functions/{NAME}"
#: Compiling it takes more steps than are allowed.
SLOW_TO_PUT: dict[str, Any] = {"anyOf": [{}] * 60_000}
#: Whether the params hold is found at once for most of them, and in 2^90 steps for the right ones.
DOUBLED = {"properties": {"x": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}}
SLOW_PATTERN = {"properties": {"x": {"items": {"not": {"pattern": "[ab]*a[ab]{900}c"}}}}}
#: Milliseconds that a cached call may take beside slow checks.
BESIDE = 50
REQUESTS = 40
WEIGHT = 0.25


@pytest.fixture
def clients(broken_service: Deployment, other_url: str) -> tuple[Client, Client]:
    """One new user, at the one and at the other controller."""
    one = broken_service.client()
    return one, one.at(other_url)


def put(client: Client, **body: Any) -> requests.Response:
    return client.request("PUT", PATH, json=body)


def made(client: Client, **body: Any) -> None:
    answer = put(client, **body)
    assert answer.status_code == 201, answer.text


def execute(
    client: Client, params: dict[str, Any] | None = None, ref: str = "", **headers: str
) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.request("POST", f"{PATH}{ref}/execute", json={"params": params or {}}, headers=named)


def doubling(times: int) -> dict[str, Any]:
    """A schema with references that multiply."""
    steps = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(times)}
    return {"$defs": {**steps, f"a{times}": True}, "$ref": "#/$defs/a0"}


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"x": value}
    return value


@pytest.mark.covers(
    "functions: schema that takes long to put 400", "functions: references that multiply, backtracking 400"
)
@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        pytest.param(SLOW_TO_PUT, "/schema/params", id="takes long"),
        pytest.param(doubling(30), "/schema/params", id="multiplies"),
        pytest.param({"pattern": r"^(a+)\1$"}, "/schema/params/pattern", id="backtracking"),
        pytest.param({"$ref": "//example.com/x"}, "/schema/params/$ref", id="remote"),
    ],
)
def test_a_schema_without_bounded_work_makes_no_version(
    clients: tuple[Client, Client], schema: dict[str, Any], pointer: str
) -> None:
    one, other = clients
    made(one, script_content=ECHO)
    for client in clients:
        refused = put(client, schema={"params": schema})
        assert refused.status_code == 400
        (problem,) = error_of(refused, "INVALID_REQUEST")["details"]["errors"]
        assert problem["pointer"].startswith(pointer)
    shown = other.request("GET", PATH).json()
    assert (shown["newest"], shown["schema"]) == (1, {})


def hit_ms(client: Client, session: str) -> float:
    """Return the milliseconds of a cached execution."""
    started = time.monotonic()
    assert client.execute(session, {"n": 1}).json()["cached"] is True
    return (time.monotonic() - started) * 1000


@pytest.mark.covers("functions: params whose check takes long 400, others under 50 ms")
@pytest.mark.parametrize(
    ("schema", "params"),
    [
        pytest.param(DOUBLED, deep(90), id="doubled references"),
        pytest.param(
            SLOW_PATTERN, {"x": ["".join(random.Random(1).choices("ab", k=500))] * 999}, id="a pattern"
        ),
    ],
)
def test_a_slow_check_reaches_its_bound_and_delays_no_other_user(
    clients: tuple[Client, Client], schema: dict[str, Any], params: dict[str, Any]
) -> None:
    client, _ = clients
    made(client, script_content=ECHO, schema={"params": schema})
    assert execute(client, {"x": {}} if schema is DOUBLED else {"x": ["a"]}).status_code == 200
    neighbour = client.speaking_for(f"{client.sub}-neighbour")
    session = neighbour.begin("python-echo", ECHO)
    assert neighbour.result(session, {"n": 1}) == {"n": 1}
    alone = [hit_ms(neighbour, session) for _ in range(20)]
    took = []
    with ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(execute, client.again(), params) for _ in range(2)]
        while not all(one.done() for one in asked):
            took.append(hit_ms(neighbour, session))
            wait(asked, 0.05)
        refused = [one.result() for one in asked]
    alone += [hit_ms(neighbour, session) for _ in range(20)]
    assert len(took) > 5
    # Most of them: the machine may be busy with other work, and then a call that waits for no check takes long too.
    assert median(took) < BESIDE + 4 * median(alone)
    for answer in refused:
        assert answer.status_code == 400
        assert "bound" in error_of(answer, "INVALID_PARAMS")["message"]


@pytest.mark.covers("functions: schemas hold on all ways of running")
def test_schemas_hold_on_all_ways_of_running(clients: tuple[Client, Client]) -> None:
    one, other = clients
    schema = {"params": {"required": ["a"]}, "result": {"properties": {"a": {"maximum": 5}}}}
    made(one, script_content=ECHO, schema=schema, enforce_result=True)
    by_id, registered = other.begin(NAME), other.begin(NAME, ECHO + "# changed\n")
    ways: list[Callable[[dict[str, Any]], requests.Response]] = [
        lambda params: execute(one, params),
        lambda params: other.execute(by_id, params),
        lambda params: one.execute(registered, params),
    ]
    for run in ways:
        assert run({"a": 1}).status_code == 200
        error_of(run({}), "INVALID_PARAMS")
        error = error_of(run({"a": 6}), "RUNTIME_ERROR")
        assert (error["details"]["kind"], error["details"]["errors"][0]["pointer"]) == (
            "result_invalid",
            "/a",
        )


@pytest.mark.covers("functions: canary split by request")
def test_a_canary_takes_its_share_at_both_controllers(clients: tuple[Client, Client]) -> None:
    one, _ = clients
    for number in (1, 2):
        made(one, script_content=f"result = {number}")
    alias = {"version": 1, "canary": {"version": 2, "weight": WEIGHT}}
    assert one.request("PUT", f"{PATH}/aliases/live", json=alias).status_code == 201
    marks = [f"request-{number}" for number in range(REQUESTS)]
    # Both go on from what they know of the alias for less than a second.
    until(
        lambda: all(_side(client, "request-0") is not None for client in clients), "both controllers know it"
    )
    expected = [2 if point_of(Asker(one.sub, mark)) < WEIGHT else 1 for mark in marks]
    for client in clients:
        assert [execute(client, X_Request_ID=mark).json()["version"] for mark in marks] == expected
    assert set(expected) == {1, 2}


def _side(client: Client, mark: str) -> int | None:
    answer = execute(client, X_Request_ID=mark)
    return answer.json()["version"] if answer.status_code == 200 else None


@pytest.mark.covers("functions: PostgreSQL away, known ones run, changes 503")
def test_without_postgres_known_functions_run_and_nothing_changes(
    broken_service: Deployment, clients: tuple[Client, Client]
) -> None:
    one, other = clients
    made(one, script_content=ECHO)
    assert one.request("PUT", f"{PATH}/aliases/live", json={"version": 1}).status_code == 201
    session = execute(one, {"n": 0}).json()["request_id"]
    broken_service.postgres.stop()
    away = time.monotonic()
    number = 0
    # Longer than what is remembered counts while PostgreSQL is there.
    while time.monotonic() < away + 3:
        number += 1
        answer = execute(one, {"n": number}).json()
        assert (answer["result"], answer["request_id"]) == ({"n": number}, session)
        time.sleep(0.1)
    assert execute(one, {"n": 1}, X_Cache_Control="no-cache").json()["result"] == {"n": 1}
    assert one.result(session, {"n": -1}) == {"n": -1}
    for refused in (
        execute(other),
        execute(one.speaking_for(f"{one.sub}-stranger")),
        *(
            client.request(method, path, json=body)
            for client in clients
            for method, path, body in (
                ("PUT", PATH, {"description": "changed"}),
                ("PUT", f"{PATH}/aliases/live", {"version": 1}),
                ("DELETE", f"{PATH}/aliases/live", None),
                ("DELETE", f"{PATH}@1", None),
                ("DELETE", PATH, None),
                ("GET", PATH, None),
                ("GET", f"{PATH}/versions", None),
            )
        ),
    ):
        assert refused.status_code == 503
        error_of(refused, "STORE_UNAVAILABLE")
        assert "Retry-After" in refused.headers
    broken_service.postgres.start()
    until(lambda: execute(other, {"n": 1}).status_code == 200, "the other controller knows the function")
    shown = other.request("GET", PATH).json()
    assert (shown["newest"], shown["description"], shown["aliases"]) == (1, "", ["live"])
