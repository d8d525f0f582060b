"""Sessions, users, caching and functions through the public API."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.acceptance.client import Client, error_of
from tests.acceptance.deployment import Deployment
from tests.waiting import until

#: Gives how often its process has run it; a comment makes it another script.
COUNTER = "calls = 0\ndef handle(params):\n    global calls\n    calls += 1\n    return calls\n"
ECHO = "def handle(event, context):\n    return [event.params, context]\n"


def test_the_second_time_is_cached_and_no_cache_runs_anew(client: Client) -> None:
    request_id = client.begin("python-counter", COUNTER + f"# {uuid.uuid4()}\n")
    first, second = client.execute(request_id), client.execute(request_id)
    assert (first.json()["result"], first.json()["cached"]) == (1, False)
    assert (second.json()["result"], second.json()["cached"]) == (1, True)
    assert second.json()["execution_time"] == first.json()["execution_time"]
    anew = client.execute(request_id, X_Cache_Control="no-cache").json()
    assert (anew["result"], anew["cached"]) == (2, False)
    assert client.execute(request_id).json()["result"] == 2


def test_a_result_is_kept_as_long_as_asked(client: Client) -> None:
    request_id = client.begin("python-counter", COUNTER + f"# {uuid.uuid4()}\n")
    client.execute(request_id, X_Cache_Control="max-age=0")
    assert client.execute(request_id, X_Cache_Control="max-age=1").json()["cached"] is False
    assert client.execute(request_id).json()["cached"] is True
    until(lambda: client.execute(request_id).json()["cached"] is False, "the result expires")


def test_200_identical_executions_at_two_controllers_are_one_run(service: Deployment, client: Client) -> None:
    script = COUNTER.replace("calls += 1\n", "calls += 1\n    time.sleep(5)\n")
    request_id = client.begin("python-slow", f"import time\n{script}# {uuid.uuid4()}\n")
    with service.another_controller() as address, ThreadPoolExecutor(200) as threads:
        other = client.at(address)
        asked = [threads.submit(each.execute, request_id) for each in (client, other) for _ in range(100)]
        documents = [answer.result(timeout=60).json() for answer in asked]
    assert [document["result"] for document in documents] == [1] * 200
    assert [document["cached"] for document in documents].count(False) == 1
    assert client.result(request_id, X_Cache_Control="no-cache") == 2
    assert client.session(request_id).json()["execution_count"] == 201


@pytest.mark.covers("IDEMPOTENCY_CONFLICT")
def test_a_repeat_with_the_same_key_does_not_run_again(client: Client) -> None:
    request_id = client.begin("python-counter", COUNTER + f"# {uuid.uuid4()}\n")
    first, again = (
        client.execute(request_id, X_Cache_Control="no-cache", Idempotency_Key="k").json() for _ in range(2)
    )
    assert again == first
    conflict = client.execute(request_id, {"other": 1}, Idempotency_Key="k")
    assert conflict.status_code == 409
    error_of(conflict, "IDEMPOTENCY_CONFLICT")


def test_users_share_nothing(client: Client) -> None:
    bob = client.speaking_for("bob")
    script = COUNTER + f"# {uuid.uuid4()}\n"
    request_id = client.begin("python-counter", script)
    assert client.result(request_id) == 1
    error_of(bob.execute(request_id), "NOT_FOUND")
    error_of(bob.session(request_id), "NOT_FOUND")
    assert bob.request("DELETE", f"/api/v1/sessions/{request_id}").status_code == 404
    own = bob.begin("python-counter", script)
    answer = bob.execute(own).json()
    assert (answer["cached"], answer["result"]) == (False, 1)


def test_a_session_pins_its_script(client: Client) -> None:
    name = f"python-pinned-{uuid.uuid4()}"
    first = client.begin(name, "result = 1\n")
    client.begin(name, "result = 2\n")
    assert client.result(first) == 1
    assert client.result(client.begin(name)) == 2


def test_json_of_every_kind_goes_through(client: Client) -> None:
    request_id = client.begin("python-echo", ECHO)
    params = {
        "big": 2**80,
        "float": 0.1,
        "text": "ラムダ \0 \N{GRINNING FACE}",
        "deep": [[[{}]]],
        "none": None,
        "": False,
    }
    for _ in range(2):
        assert client.result(request_id, params)[0] == params


def test_a_deleted_function_ends_and_its_sessions_go_on(client: Client) -> None:
    path = "/api/v1/functions/python-ending"
    request_id = client.begin("python-ending", "result = 1")
    reader = client.speaking_for(client.sub, "read:functions")
    error_of(reader.request("DELETE", path), "FORBIDDEN")
    assert client.speaking_for("stranger").request("DELETE", path).status_code == 404
    assert client.request("DELETE", path).status_code == 204
    for gone in (
        client.request("GET", path),
        client.initialize("python-ending"),
        client.request("DELETE", path),
    ):
        assert gone.status_code == 404
        error_of(gone, "NOT_FOUND")
    assert client.result(request_id) == 1
    assert client.result(client.begin("python-ending", "result = 2")) == 2


@pytest.mark.covers("INVALID_PARAMS 400")
def test_params_that_break_the_schema_are_pointed_at(client: Client) -> None:
    request_id = client.begin("nodejs-calculator")
    answer = client.execute(request_id, {"operation": "power", "a": "2"})
    assert answer.status_code == 400
    errors = error_of(answer, "INVALID_PARAMS")["details"]["errors"]
    assert {error["pointer"] for error in errors} == {"", "/operation", "/a"}
    assert client.session(request_id).json()["execution_count"] == 0
    assert client.result(request_id, {"operation": "add", "a": 2, "b": 3})["value"] == 5
    # A function of one's own under the same name has no schema.
    own = client.begin("nodejs-calculator", "return event.params.a;")
    assert client.result(own, {"a": "2"}) == "2"


def test_a_session_is_executed_described_and_ended_without_a_path(client: Client) -> None:
    request_id = client.begin("python-echo", ECHO)
    query, header = {"request_id": request_id}, {"X-Session-ID": request_id}

    by_query = client.request("POST", "/api/v1/execute", params=query, json={"params": {"n": 1}})
    by_header = client.request("POST", "/api/v1/execute", headers=header, json={"params": {"n": 2}})
    seen = client.request("GET", "/api/v1/sessions", params=query).json()
    ended = client.request("DELETE", "/api/v1/sessions", headers=header)

    assert (by_query.json()["result"], by_header.json()["result"]) == ([{"n": 1}, {}], [{"n": 2}, {}])
    assert (seen["request_id"], ended.status_code) == (request_id, 204)
    assert client.session(request_id).status_code == 404


def test_the_path_goes_before_the_query_and_the_query_before_the_header(client: Client) -> None:
    first, second = (client.begin("python-echo", ECHO) for _ in range(2))

    by_path = client.request("GET", f"/api/v1/sessions/{first}", params={"request_id": second})
    by_query = client.request(
        "GET", "/api/v1/sessions", params={"request_id": first}, headers={"X-Session-ID": second}
    )

    assert by_path.json()["request_id"] == by_query.json()["request_id"] == first
