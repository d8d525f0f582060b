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


def test_initialize_answers_as_the_contract_says(client: Client) -> None:
    document = client.initialize("python-contract", ECHO).json()
    assert set(document) == {"request_id", "status", "expires_at"}
    assert document["status"] == "initialized"
    assert document["expires_at"].endswith("Z")


def test_execute_answers_as_the_contract_says(client: Client) -> None:
    request_id = client.begin("python-contract", ECHO, environment="test", tenant="t", timeout_ms=5000)
    document = client.execute(request_id, {"a": 1}).json()
    assert document.pop("execution_time") > 0
    assert document == {
        "request_id": request_id,
        "language_title": "python-contract",
        "cached": False,
        "result": [{"a": 1}, {"environment": "test", "tenant": "t"}],
    }


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


def test_a_failure_is_never_cached(client: Client) -> None:
    script = "import os\ndef handle(params):\n    raise ValueError(str(os.urandom(8)))\n"
    request_id = client.begin("python-fails", script)
    messages = {error_of(client.execute(request_id), "RUNTIME_ERROR")["message"] for _ in range(2)}
    assert len(messages) == 2


def test_a_script_keeps_its_process_and_execution_isolation_gives_a_new_one(client: Client) -> None:
    warm = client.begin("python-counter", COUNTER)
    fresh = client.begin("python-counter", COUNTER, isolation="execution")
    assert [client.result(warm, X_Cache_Control="no-cache") for _ in range(3)][-1] >= 3
    assert [client.result(fresh, X_Cache_Control="no-cache") for _ in range(3)] == [1, 1, 1]


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


def test_a_session_says_how_it_fares(client: Client) -> None:
    request_id = client.begin("python-counter", COUNTER + f"# {uuid.uuid4()}\n")
    assert client.session(request_id).json()["execution_count"] == 0
    for _ in range(3):
        client.execute(request_id)
    document = client.session(request_id).json()
    assert document["execution_count"] == 3
    assert document["last_executed_at"] > document["created_at"]
    assert (document["status"], document["language_title"]) == ("active", "python-counter")
    assert document["compile_status"] is None


def test_a_session_that_is_not_retained_ends_with_its_first_success(client: Client) -> None:
    script = "def handle(params):\n    return 1 / params['by']\n"
    request_id = client.begin("python-once", script, retain_session=False)
    error_of(client.execute(request_id, {"by": 0}), "RUNTIME_ERROR")
    assert client.result(request_id, {"by": 1}) == 1
    assert client.execute(request_id, {"by": 1}).status_code == 404
    assert client.session(request_id).json()["status"] == "closed"


def test_a_deleted_session_is_gone(client: Client) -> None:
    request_id = client.begin("python-counter", COUNTER)
    assert client.request("DELETE", f"/api/v1/sessions/{request_id}").status_code == 204
    assert client.execute(request_id).status_code == 404
    assert client.session(request_id).status_code == 404
    assert client.request("DELETE", f"/api/v1/sessions/{request_id}").status_code == 404


def test_a_session_pins_its_script(client: Client) -> None:
    name = f"python-pinned-{uuid.uuid4()}"
    first = client.begin(name, "result = 1\n")
    client.begin(name, "result = 2\n")
    assert client.result(first) == 1
    assert client.result(client.begin(name)) == 2


def test_a_registered_function_is_listed_and_described(client: Client) -> None:
    name = f"python-mine-{uuid.uuid4()}"
    client.begin(name, ECHO)
    page = client.request("GET", "/api/v1/functions?type=dynamic&per_page=100").json()
    assert name in [function["language_title"] for function in page["functions"]]
    detail = client.request("GET", f"/api/v1/functions/{name}").json()
    assert (detail["script_content"], detail["type"], detail["user_id"]) == (ECHO, "dynamic", client.sub)
    stranger = client.speaking_for("stranger")
    assert stranger.request("GET", f"/api/v1/functions/{name}").status_code == 404


@pytest.mark.parametrize("path", ["/initialize", "/api/v1/initialize"])
def test_the_internal_paths_are_aliases(client: Client, path: str) -> None:
    headers = {"Language-Title": "python-alias"}
    request_id = client.request("POST", path, json={"script_content": "result = 1"}, headers=headers).json()[
        "request_id"
    ]
    assert client.request("POST", f"/execute/{request_id}", json={"params": {}}).json()["result"] == 1
    assert client.request("GET", f"/sessions/{request_id}").json()["execution_count"] == 1


def test_params_may_be_left_out(client: Client) -> None:
    request_id = client.begin("python-echo", ECHO)
    answer = client.request("POST", f"/api/v1/execute/{request_id}", json={})
    assert answer.json()["result"] == [{}, {}]


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


def test_no_user_may_delete_a_predefined_function(client: Client) -> None:
    error_of(client.request("DELETE", "/api/v1/functions/nodejs-calculator"), "NOT_FOUND")
    assert client.request("GET", "/api/v1/functions/nodejs-calculator").status_code == 200


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
