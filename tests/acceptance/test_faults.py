"""What clients see while neighbours are away and after they are back."""

import time
import uuid
from typing import Any

import psycopg2
import pytest
import requests
from psycopg2.extras import RealDictCursor

from tests.acceptance.client import Client
from tests.acceptance.deployment import Deployment
from tests.acceptance.test_scripts import FORMS
from tests.processes import alive, below
from tests.waiting import until

ECHO = "def handle(params):\n    return params\n"


def rows(deployment: Deployment, request_id: str) -> list[dict[str, Any]]:
    """The executions of a session in `request_logs`, in order."""
    opened = psycopg2.connect(deployment.postgres.url, cursor_factory=RealDictCursor)
    try:
        with opened.cursor() as cursor:
            cursor.execute(
                "SELECT * FROM request_logs WHERE session_id = %s AND endpoint = 'execute' ORDER BY created_at",
                (request_id,),
            )
            return [dict(row) for row in cursor.fetchall()]
    finally:
        opened.close()


def until_logged(deployment: Deployment, request_id: str, count: int) -> list[dict[str, Any]]:
    until(lambda: len(rows(deployment, request_id)) >= count, f"{count} rows are written")
    return rows(deployment, request_id)


def test_sessions_survive_a_restart_of_everything(broken_service: Deployment) -> None:
    client = broken_service.client()
    scripts = {"python-kept": ECHO, "nodejs-kept": "return event.params;", "rust-kept": FORMS["rust-handler"]}
    sessions = {name: client.begin(name, script, three=3) for name, script in scripts.items()}
    broken_service.stop()
    broken_service.start()
    assert client.result(sessions["python-kept"], {"a": 1}) == {"a": 1}
    assert client.result(sessions["nodejs-kept"], {"a": 1}) == {"a": 1}
    assert client.result(sessions["rust-kept"], {"a": 1}) == 4


@pytest.mark.parametrize("own_service", [["rust"]], indirect=True, ids=["rust"])
def test_a_compiled_artifact_survives_a_new_runtime_with_nothing_on_disk(own_service: Deployment) -> None:
    client = own_service.client()
    request_id = client.begin("rust-kept", FORMS["rust-handler"], three=3)
    own_service.rust_without_compiler()
    assert client.result(request_id, {"a": 1}) == 4
    again = client.initialize("rust-kept", FORMS["rust-handler"]).json()
    assert again["artifact_cached"] is True


@pytest.mark.covers("specification 6: Redis away, goes on", "specification 9: REDIS_URL")
def test_without_redis_everything_works_uncached(broken_service: Deployment) -> None:
    client = broken_service.client()
    warm = client.begin("python-echo", ECHO)
    client.execute(warm, {"a": 1})
    broken_service.redis.stop()
    answers = [client.execute(warm, {"a": 1}).json() for _ in range(2)]
    assert [(answer["result"], answer["cached"]) for answer in answers] == [({"a": 1}, False)] * 2
    new = client.begin("nodejs-echo", "return event.params;")
    assert client.result(new, {"b": 2}) == {"b": 2}
    assert client.session(new).json()["execution_count"] == 1
    assert client.request("GET", "/api/v1/functions").status_code == 200
    health = client.request("GET", "/health")
    assert (health.status_code, health.json()["status"]) == (200, "degraded")
    broken_service.redis.start()
    until(lambda: bool(client.execute(warm, {"a": 1}).json()["cached"]), "results are cached again")
    assert client.session(warm).json()["execution_count"] >= 4


@pytest.mark.covers(
    "specification 6: PostgreSQL away, goes on", "specification 9: POSTGRES_URL", "STORE_UNAVAILABLE"
)
def test_without_postgres_warm_sessions_run_and_their_rows_come_later(broken_service: Deployment) -> None:
    client = broken_service.client()
    warm = client.begin("python-echo", ECHO)
    client.execute(warm, {"n": 0})
    broken_service.postgres.stop()
    for number in range(1, 21):
        assert client.result(warm, {"n": number}) == {"n": number}
    assert client.execute(warm, {"n": 1}).json()["cached"] is True
    functions = client.request("GET", "/api/v1/functions")
    assert (functions.status_code, functions.json()["error"]["code"]) == (503, "STORE_UNAVAILABLE")
    assert "Retry-After" in functions.headers
    broken_service.postgres.start()
    logged = until_logged(broken_service, warm, 22)
    assert [row["request_payload"]["params"]["n"] for row in logged] == [*range(21), 1]
    assert client.session(warm).json()["execution_count"] == 22


def test_a_session_that_began_without_postgres_is_there_when_it_is_back(broken_service: Deployment) -> None:
    client = broken_service.client()
    broken_service.postgres.stop()
    request_id = client.begin("python-echo", ECHO)
    assert client.result(request_id, {"n": 1}) == {"n": 1}
    broken_service.postgres.start()
    until_logged(broken_service, request_id, 1)
    broken_service.redis.stop()
    broken_service.controller.stop()
    broken_service.controller.launch()
    until(lambda: broken_service.controller.health() != {}, "the controller is back")
    assert client.result(request_id, {"n": 2}) == {"n": 2}


@pytest.mark.covers("RUNTIME_UNAVAILABLE")
def test_without_its_runtime_a_language_is_unavailable_and_the_others_are_not(
    broken_service: Deployment,
) -> None:
    client = broken_service.client()
    python, nodejs = client.begin("python-echo", ECHO), client.begin("nodejs-echo", "return event.params;")
    broken_service.runtimes["python"].stop()
    away = client.execute(python, {"n": 1})
    assert (away.status_code, away.json()["error"]["code"]) == (503, "RUNTIME_UNAVAILABLE")
    assert "Retry-After" in away.headers
    assert client.result(nodejs, {"n": 1}) == {"n": 1}
    broken_service.runtimes["python"].start()
    assert client.result(python, {"n": 1}) == {"n": 1}


def test_every_execution_has_its_one_row(broken_service: Deployment) -> None:
    client = broken_service.client()
    script = "def handle(params):\n    return 1 / params['by']\n"
    request_id = client.begin("python-logged", script, environment="test")
    marks = [f"mark-{uuid.uuid4()}" for _ in range(3)]
    client.execute(request_id, {"by": 2}, X_Request_ID=marks[0])
    client.execute(request_id, {"by": 2}, X_Request_ID=marks[1])
    client.execute(request_id, {"by": 0}, X_Request_ID=marks[2])
    logged = until_logged(broken_service, request_id, 3)
    assert [row["http_request_id"] for row in logged] == marks
    assert [(row["status"], row["status_code"], row["cached"]) for row in logged] == [
        ("ok", 200, False),
        ("ok", 200, True),
        ("error", 500, False),
    ]
    assert {row["user_id"] for row in logged} == {client.sub}
    assert logged[0]["request_payload"] == {"params": {"by": 2}}
    assert logged[0]["response_data"] == 0.5
    assert logged[2]["error_code"] == "RUNTIME_ERROR"
    assert all(row["duration_ms"] > 0 for row in logged)
    for ran in (logged[0], logged[2]):
        used = ran["runtime_metrics"]
        assert used["memory_usage_bytes"] > 1 << 20
        assert used["bytes_in"] > 0
        assert used["bytes_out"] > 0
    assert logged[1]["runtime_metrics"] is None


def test_a_client_that_hangs_up_ends_its_run(broken_service: Deployment) -> None:
    client = broken_service.client()
    request_id = client.begin("python-endless", "def handle(params):\n    while True: pass\n")
    with pytest.raises(requests.ReadTimeout):
        client.request("POST", f"/api/v1/execute/{request_id}", json={"params": {}}, timeout=(5, 1))
    until(lambda: busy(broken_service, "python") == 0, "the worker that ran it is gone")
    row = until_logged(broken_service, request_id, 1)[0]
    assert (row["status_code"], row["error_code"]) == (499, "CLIENT_GONE")
    assert client.result(client.begin("python-echo", ECHO), {"n": 1}) == {"n": 1}


def busy(service: Deployment, language: str) -> int:
    workers = service.runtimes[language].health()["workers"]
    assert isinstance(workers, dict)
    return int(workers["busy"])


def test_the_last_rows_are_written_when_the_controller_ends(broken_service: Deployment) -> None:
    client = broken_service.client()
    request_id = client.begin("python-echo", ECHO)
    for number in range(50):
        client.execute(request_id, {"n": number})
    broken_service.controller.stop()
    assert len(rows(broken_service, request_id)) == 50


def test_a_restarted_controller_answers_within_its_deadline(broken_service: Deployment) -> None:
    client: Client = broken_service.client()
    request_id = client.begin("python-echo", ECHO)
    processes = below(broken_service.controller.pid)
    broken_service.controller.kill()
    until(lambda: alive(processes) == [], "the last worker has closed its connections")
    broken_service.controller.start()
    started = time.monotonic()
    assert client.result(request_id, {"n": 1}) == {"n": 1}
    assert time.monotonic() - started < 5


#: Says which process group of workers ran it: two runtimes never share a fork server.
SCRIPT = "import os\n\ndef handle(params):\n    return [os.getppid(), params['n']]\n"


def test_sessions_stick_to_a_runtime_and_both_are_used(own_service: Deployment) -> None:
    own_service.add_python_runtime()
    places: list[int] = []
    for _ in range(12):
        client = own_service.client()
        request_id = client.begin("python-which", SCRIPT)
        ran_on = {client.result(request_id, {"n": number})[0] for number in range(5)}
        assert len(ran_on) == 1
        places += ran_on
    assert len(set(places)) == 2
