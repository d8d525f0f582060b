"""The functions of stack.yml, each started from its image, also behind the gateway of the Compose file."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import requests

from controller.web.pages import CONSOLE
from controller.web.routes import ROUTES
from local.supervisor.account import Account
from local.supervisor.ports import free_port
from tests.acceptance.client import Client
from tests.integration.openfaas.build import Build
from tests.integration.openfaas.served import Serve
from tests.integration.openfaas.stack import SECRETS, SHORT, Gateway, Stack, functions, written
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
#: As metrics have it.
HANGUP = "client_gone"
#: Paths that are not public. Some exist in a function, for internal use.
NOT_PUBLIC = [
    "/functions",
    "/api/v1",
    "/api/v1/executes/8d2f",
    "/api/v1/execute/metrics",
    "/sessions/metrics/",
]


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


def test_the_id_may_be_sent_without_a_path(stack: Stack) -> None:
    request_id = stack.begin("python-adder", ADDERS["python"])
    body = {"params": {"a": 1, "b": 1}}

    by_query = stack.call("POST", "execute", f"?request_id={request_id}", json=body)
    by_header = stack.call("POST", "execute", json=body, headers={"X-Session-ID": request_id})
    function = stack.call("GET", "functions", "?language_title=python-adder")

    assert [by_query.json()["result"], by_header.json()["result"]] == [{"sum": 2}, {"sum": 2}]
    assert function.json()["language_title"] == "python-adder"


def test_errors_keep_their_form_through_the_gateway(stack: Stack) -> None:
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


def test_our_timeout_comes_before_the_watchdogs(stack: Stack) -> None:
    endless = stack.begin("python-endless", "def handle(params):\n    while True: pass\n", timeout_ms=60_000)

    answer = stack.execute(endless, {})

    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "TIMEOUT")
    assert answer.json()["error"]["details"]["timeout_ms"] == int(SHORT["SCRIPT_TIMEOUT_MAX"])


def test_a_script_of_1_mib_and_a_result_of_5_mib_are_accepted(stack: Stack) -> None:
    script = "def handle(params):\n    return 'x' * params['size']\n#"
    longest = script + "#" * (MIB - len(script))

    answer = stack.execute(stack.begin("python-large", longest), {"size": 5 * MIB})

    assert answer.status_code == 200
    assert answer.json()["result"] == "x" * (5 * MIB)


@pytest.mark.usefixtures("stack")
def test_an_image_has_the_one_library_it_runs(build: Build) -> None:
    for function in functions(build):
        modules = ("controller", "runtime", "telemetry", "framing", "local", "tests")
        made = build.made(function.name)
        found = {module for module in modules if made.imports(module)}
        assert found == {function.library, "telemetry", "framing"}, function.name


def test_the_samples_were_registered_by_the_migration(client: Client) -> None:
    request_id = client.begin("python-text_processor")

    assert client.session(request_id).json()["status"] == "active"


@pytest.mark.parametrize("language", ADDERS)
def test_the_gateway_routes_to_every_function(client: Client, language: str) -> None:
    request_id = client.begin(f"{language}-adder", ADDERS[language])
    listed = client.request("GET", "/api/v1/functions", params={"type": "dynamic"}).json()
    by_alias = client.request("POST", f"/execute/{request_id}", json={"params": {"a": 1, "b": 1}})
    by_query = client.request(
        "POST", f"/api/v1/execute?request_id={request_id}", json={"params": {"a": 2, "b": 2}}
    )

    assert client.result(request_id, {"a": 2, "b": 40}) == {"sum": 42}
    assert [one["language_title"] for one in listed["functions"]] == [f"{language}-adder"]
    assert [by_alias.json()["result"], by_query.json()["result"]] == [{"sum": 2}, {"sum": 4}]
    assert client.session(request_id).json()["execution_count"] == 3
    assert client.request("GET", f"/sessions/{request_id}").json()["request_id"] == request_id
    assert client.request("DELETE", f"/api/v1/sessions/{request_id}").status_code == 204


#: A file of each page, by the path of its files.
FILES = {"/docs/{file}": "docs.css", "/console/{file}": next((CONSOLE / "assets").iterdir()).name}
PUBLIC = [(route.method, path) for route in ROUTES for path in route.paths]


@pytest.mark.parametrize(("method", "path"), PUBLIC)
def test_every_public_path_is_routed_to_its_function(gateway: Gateway, method: str, path: str) -> None:
    titles = dict.fromkeys(("function_ref", "language_title"), "python-adder")
    path = path.format(
        **dict.fromkeys(("request_id", "alias", "key_id", "digest"), "a1"), **titles, file=FILES.get(path)
    )
    answer = requests.request(method, f"{gateway.url}{path}", json={}, timeout=60)

    assert answer.status_code in {200, 401}, answer.text


@pytest.mark.parametrize("path", NOT_PUBLIC)
def test_every_other_path_is_answered_404_by_the_service(gateway: Gateway, path: str) -> None:
    answer = requests.get(f"{gateway.url}{path}", timeout=60)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(("port", "language"), [(8081, "nodejs"), (8082, "python"), (8083, "rust")])
def test_the_runtimes_have_ports_of_this_machine(gateway: Gateway, port: int, language: str) -> None:
    secret = {"X-Runtime-Secret": SECRETS["RUNTIME_SECRET"]}
    health, isolation = (
        requests.get(f"{gateway.at(port)}/{path}", headers=secret, timeout=60).json()
        for path in ("health", "isolation")
    )

    assert (health["language"], isolation["language"]) == (language, language)


def test_the_gateway_accepts_long_heads_and_results(client: Client) -> None:
    request_id = client.begin("python-large", "def handle(params):\n    return 'x' * params['size']\n")
    answer = client.execute(request_id, {"size": 5 * MIB}, X_Long="x" * 8000, X_Longer="y" * 8000)

    assert (answer.status_code, len(answer.json()["result"])) == (200, 5 * MIB)


def test_a_client_that_hangs_up_on_the_gateway_ends_its_run(stack: Stack, client: Client) -> None:
    endless = client.begin("python-endless", "def handle(params):\n    while True: pass\n")
    counted = partial(stack.counted, "execute", HANGUP)
    before = counted()
    with pytest.raises(requests.ReadTimeout):
        client.request("POST", f"/api/v1/execute/{endless}", json={"params": {}}, timeout=(5, 0.5))

    until(lambda: counted() == before + 1, "the run has ended as one that was left")


def test_the_health_check_fails_until_the_function_is_ready(
    stack: Stack, serve: Serve, account: Account
) -> None:
    for name, served in stack.served.items():
        assert served.healthy(), name
        assert not serve(name, {}, account).healthy(), name


def test_images_declare_user_command_and_labels(build: Build) -> None:
    for function in functions(build):
        image = build.made(function.name).image
        assert (image.user, image.ports) == ("1000", ["8080"]), function.name
        assert image.command == ["python", "init.py", "fwatchdog"]
        assert {"title", "base.name"} == {
            label.removeprefix("org.opencontainers.image.") for label in image.labels
        }
        # Where Compose mounts a volume.
        assert image.owned == ["/srv/state"]


def test_nothing_is_written_into_an_image(
    client: Client, build: Build, written_before: dict[Path, int]
) -> None:
    for language, script in ADDERS.items():
        client.result(client.begin(f"{language}-adder", script), {"a": 3, "b": 4})

    assert written(build).items() ^ written_before.items() == set()


def test_running_calls_are_answered_after_sigterm(stack: Stack, client: Client) -> None:
    """Must be the last test that uses the stack, because it ends a function."""
    slow = client.begin(
        "python-slow", "import time\ndef handle(params):\n    time.sleep(1)\n    return 'done'\n"
    )
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(client.again().execute, slow)
        until(lambda: stack.busy("runtime-python"), "the script runs")
        status = stack.served["execute"].stop()
        answer = call.result()

    assert (status, answer.status_code, answer.json()["result"]) == (0, 200, "done")


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
    with serve("health", {**function.environment, **secrets, **variables}) as health:
        # Each on a connection of its own, so that both processes have their share.
        files = health.lock.parent.glob
        until(lambda: len(list(files("metrics-*/gauge_livesum_*.db"))) == 2, "both processes have loaded it")
        for _ in range(40):
            requests.get(f"{health.url}/openapi.json", timeout=60)
        counted = [counts(address) for address in (f"http://127.0.0.1:{port}/metrics",) * 5]

    assert counted == [40.0] * 5


def counts(address: str) -> float:
    """Return the number of successful requests of a function, from the metrics of one of its processes."""
    text = requests.get(address, timeout=60).text
    name = 'lambda_requests_total{code="ok",endpoint="health",language="none"}'
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))
