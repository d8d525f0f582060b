"""The stack's own functions, each from its own build folder, environment and process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from local.stores.postgres import PostgresServer
from local.stores.redis import RedisServer
from local.supervisor.ports import free_port
from tests.integration.openfaas.build import Build
from tests.integration.openfaas.served import Serve
from tests.integration.openfaas.stack import SECRETS, Stack, functions, running, secret_files
from tests.waiting import until

#: One script in each language: the sum of two parameters.
ADDERS = {
    "python": "def handle(params):\n    return {'sum': params['a'] + params['b']}\n",
    "nodejs": "module.exports = async ({ params }) => ({ sum: params.a + params.b });\n",
    "rust": """
use serde_json::{json, Map, Value};

pub fn handler(context: Map<String, Value>) -> Result<Value, String> {
    let number = |name: &str| context["params"][name].as_i64().ok_or("no number");
    Ok(json!({"sum": number("a")? + number("b")?}))
}
""",
}
MIB = 1 << 20
#: A deadline of the service's own, and the watchdogs' in the order of stack.yml, in less time.
SHORT = {
    "SCRIPT_TIMEOUT_MAX": "1000",
    "exec_timeout": "6s",
    "write_timeout": "7s",
    "read_timeout": "7s",
    "healthcheck_interval": "1s",
}


@pytest.fixture(scope="module")
def secrets(
    postgres_server: PostgresServer, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    values = SECRETS | {"POSTGRES_URL": postgres_server.url, "REDIS_URL": redis_server.url}
    return secret_files(tmp_path_factory.mktemp("secrets"), values)


@pytest.fixture(scope="module")
def toolchains(node_program: str, rust_toolchain: Path) -> dict[str, str]:
    return {"NODE": node_program, "RUST_TOOLCHAIN": str(rust_toolchain)}


@pytest.fixture(scope="module")
def stack(build: Build, serve: Serve, secrets: dict[str, str], toolchains: dict[str, str]) -> Iterator[Stack]:
    with running(build, serve, secrets, toolchains | SHORT) as stack:
        yield stack


@pytest.mark.parametrize("language", ADDERS)
def test_a_script_of_each_language_is_initialized_executed_and_its_session_seen(
    stack: Stack, language: str
) -> None:
    request_id = stack.begin(f"{language}-adder", ADDERS[language])
    first = stack.execute(request_id, {"a": 2, "b": 40})
    # In chunks and without a length, as the watchdog hands bodies on.
    chunks = iter([b'{"params": {"a": 2,', b' "b": 40}}'])
    second = stack.call("POST", "execute", f"/{request_id}", data=chunks)
    session = stack.call("GET", "sessions", f"/{request_id}").json()
    ended = stack.call("DELETE", "sessions", f"/{request_id}")

    assert (first.status_code, second.status_code) == (200, 200), first.text + second.text
    assert first.json()["result"] == {"sum": 42}
    assert (first.json()["cached"], second.json()["cached"]) == (False, True)
    assert (session["request_id"], session["execution_count"]) == (request_id, 2)
    assert ended.status_code == 204
    assert stack.execute(request_id, {"a": 2, "b": 40}).status_code == 404


def test_the_id_may_come_without_a_path(stack: Stack) -> None:
    request_id = stack.begin("python-adder", ADDERS["python"])
    body = {"params": {"a": 1, "b": 1}}

    by_query = stack.call("POST", "execute", f"?request_id={request_id}", json=body)
    by_header = stack.call("POST", "execute", json=body, headers={"X-Session-ID": request_id})
    function = stack.call("GET", "functions", "?language_title=python-adder")

    assert [by_query.json()["result"], by_header.json()["result"]] == [{"sum": 2}, {"sum": 2}]
    assert function.json()["language_title"] == "python-adder"


def test_health_knows_all_parts(stack: Stack) -> None:
    answer = stack.call("GET", "health")

    assert (answer.status_code, answer.json()["status"]) == (200, "ok"), answer.text


def test_errors_keep_their_shape_on_the_way_through(stack: Stack) -> None:
    runtime = stack.served["runtime-python"]
    answers = [
        stack.call("POST", "initialize", json={}, headers={"Authorization": ""}),
        stack.execute("no-such-session", {}),
        stack.execute(stack.begin("python-adder", ADDERS["python"]), {"a": 1}),
        stack.call("POST", "runtime-python", "/runtime/python/adder", json={}),
    ]

    assert runtime.url != stack.served["execute"].url
    assert [(answer.status_code, answer.json()["error"]["code"]) for answer in answers] == [
        (401, "UNAUTHORIZED"),
        (404, "NOT_FOUND"),
        (500, "RUNTIME_ERROR"),
        (401, "UNAUTHORIZED"),
    ]


def test_our_own_timeout_comes_before_the_watchdogs_empty_one(stack: Stack) -> None:
    endless = stack.begin("python-endless", "def handle(params):\n    while True: pass\n", timeout_ms=60_000)

    answer = stack.execute(endless, {})

    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "TIMEOUT")
    assert answer.json()["error"]["details"]["timeout_ms"] == int(SHORT["SCRIPT_TIMEOUT_MAX"])


def test_a_script_of_a_mebibyte_and_a_result_of_five_pass(stack: Stack) -> None:
    script = "def handle(params):\n    return 'x' * params['size']\n#"
    longest = script + "#" * (MIB - len(script))

    answer = stack.execute(stack.begin("python-large", longest), {"size": 5 * MIB})

    assert answer.status_code == 200
    assert answer.json()["result"] == "x" * (5 * MIB)


@pytest.mark.parametrize("language", ["python", "nodejs"])
def test_a_line_of_200_kib_harms_nothing(stack: Stack, language: str) -> None:
    script = {
        "python": "def handle(params):\n    print('y' * 204_800)\n    return params['n']\n",
        "nodejs": "module.exports = async ({ params }) => { console.log('y'.repeat(204800)); return params.n; };",
    }[language]
    request_id = stack.begin(f"{language}-loud", script)

    assert [stack.execute(request_id, {"n": n}).json()["result"] for n in range(3)] == [0, 1, 2]


@pytest.mark.usefixtures("stack")
def test_neither_library_can_be_imported_where_the_other_runs(build: Build) -> None:
    for function in functions(build):
        modules = ("controller", "runtime", "local", "tests")
        found = {module for module in modules if build.imports(function.name, module)}
        assert found == {function.library}, function.name


def test_two_processes_of_a_function_have_one_set_of_metrics(
    build: Build, serve: Serve, secrets: dict[str, str]
) -> None:
    function = next(each for each in functions(build) if each.name == "health")
    port = free_port()
    variables = {
        "WEB_CONCURRENCY": "2",
        "METRICS_PORT": str(port),
        "healthcheck_interval": "1s",
        "RUNTIME_URLS": "",
    }
    with serve("health", "controller", {**function.environment, **secrets, **variables}) as health:
        # Each on a connection of its own, so that both processes have their share.
        files = health.lock.parent.glob
        until(lambda: len(list(files("metrics-*/gauge_livesum_*.db"))) == 2, "both processes have loaded it")
        for _ in range(40):
            requests.get(f"{health.url}/openapi.json", timeout=10)
        counted = [counts(address) for address in (f"http://127.0.0.1:{port}/metrics",) * 5]

    assert counted == [40.0] * 5


def counts(address: str) -> float:
    """How many requests of the function were answered well, as one of its processes tells."""
    text = requests.get(address, timeout=10).text
    name = 'lambda_requests_total{code="ok",endpoint="health",language="none"}'
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))
