"""Every line of a whole run, from its start to its end, against the fields that the index template declares."""

import http.client
import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.acceptance.client import Client
from tests.acceptance.deployment import Deployment
from tests.conftest import ROOT
from tests.integration.observability.log_lines import ELASTIC, declared, fits, parts, records
from tests.waiting import until

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"
SCRIPTS = {
    "nodejs": "module.exports = async ({ params }) => { console.log('said by nodejs'); return params.n; };",
    "python": """
import time
def handle(params):
    print("said by python")
    if params["n"] == "raise":
        raise ValueError("as asked")
    if params["n"] == "loop":
        time.sleep(60)
    return params["n"]
""",
    "rust": """
        use serde_json::{Map, Value};
        pub fn handler(context: Map<String, Value>) -> Result<Value, String> {
            println!("said by rust");
            Ok(context["params"]["n"].clone())
        }
    """,
}
Records = dict[str, list[dict[str, Any]]]


class Calls:
    """Calls of each kind, by the X-Request-ID that they came with."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.sessions = {
            language: client.begin(f"{language}-echo", script, timeout_ms=1000)
            for language, script in SCRIPTS.items()
        }
        self.ids: dict[str, str] = {}

    def execute(self, kind: str, language: str, value: Any, **headers: str) -> int:
        marked = {"X-Request-ID": self._id(kind), **headers}
        return self.client.execute(self.sessions[language], {"n": value}, **marked).status_code

    def request(self, kind: str, method: str, path: str, **options: Any) -> int:
        headers = {"X-Request-ID": self._id(kind), **options.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **options).status_code

    def hang_up(self, kind: str, log: Path) -> None:
        """Asks for a run that takes long, and goes away."""
        host = self.client.url.removeprefix("http://")
        path = f"/api/v1/execute/{self.sessions['python']}"
        headers = {"Authorization": f"Bearer {self.client.token}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection(host)
        body = json.dumps({"params": {"n": "loop", "kind": kind}})
        connection.request("POST", path, body, {**headers, "X-Request-ID": self._id(kind)})
        connection.close()
        until(lambda: self.ids[kind] in log.read_text(), "the call that nobody waits for has its line")

    def _id(self, kind: str) -> str:
        return self.ids.setdefault(kind, str(uuid.uuid4()))


def make_calls(deployment: Deployment) -> Calls:
    """Hits, misses, errors, timeouts, refusals and probes."""
    calls = Calls(deployment.client())
    for language in SCRIPTS:
        assert calls.execute(f"{language} miss", language, 1, traceparent=TRACEPARENT) == 200
        assert calls.execute(f"{language} hit", language, 1, X_Call_Id="of-the-gateway") == 200
    assert calls.execute("refresh", "python", 1, X_Cache_Control="no-cache") == 200
    assert calls.execute("error", "python", "raise") == 500
    assert calls.execute("timeout", "python", "loop") == 504
    calls.hang_up("hung up", deployment.controller.log)
    assert calls.request("no session", "POST", "/api/v1/execute/none", json={}) == 404
    assert calls.request("no json", "POST", "/api/v1/execute/none", data="{") == 415
    assert calls.request("no token", "GET", "/api/v1/functions", headers={"Authorization": ""}) == 401
    assert calls.request("no path", "GET", "/nowhere?token=hunter2") == 404
    assert calls.request("no method", "PUT", "/api/v1/functions") == 405
    assert calls.request("health", "GET", "/health") == 200
    assert calls.request("functions", "GET", "/api/v1/functions") == 200
    for part in deployment.runtimes.values():
        assert (
            Client(f"http://127.0.0.1:{part.port}", "x" * 32, "x").request("GET", "/isolation").status_code
            == 401
        )
    return calls


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory, node_program: str, rust_toolchain: Path
) -> Iterator[tuple[Calls, Records, str]]:
    """The calls, what each part has logged by its end, and all of that as it was written."""
    deployment = Deployment(tmp_path_factory.mktemp("logs"), node_program, rust_toolchain)
    try:
        deployment.start()
        calls = make_calls(deployment)
        deployment.stop()
        logs = parts(deployment)
        text = "".join(log.read_text() for log in logs.values())
        yield calls, {name: records(log) for name, log in logs.items()}, text
    finally:
        deployment.__exit__()


@pytest.fixture(scope="module")
def written(run: tuple[Calls, Records, str]) -> Records:
    return run[1]


def line(run: tuple[Calls, Records, str], kind: str, part: str = "controller") -> dict[str, Any]:
    """The one line of this call."""
    (found,) = (
        record
        for record in run[1][part]
        if record.get("http.request.id") == run[0].ids[kind]
        and record.get("event.dataset") == "lambda.access"
    )
    return found


def test_every_field_is_declared_and_of_its_type(written: Records) -> None:
    types = declared()
    wrong = {
        f"{part}: {name}={value!r} is no {types.get(name)}"
        for part, lines in written.items()
        for record in lines
        for name, value in record.items()
        if not fits(value, types.get(name))
    }

    assert wrong == set()
    assert {len(lines) > 3 for lines in written.values()} == {True}


def test_the_page_has_the_fields_that_there_are(written: Records) -> None:
    rows = re.findall(r"^\| `([a-z@_.]+)` \| (\w+) \|", (ROOT / "docs" / "logs.md").read_text(), re.MULTILINE)
    seen = {name for lines in written.values() for record in lines for name in record}

    assert dict(rows).items() <= declared().items()
    assert seen - dict(rows).keys() == set()
    # Those of traces, and of what did not go wrong here.
    assert dict(rows).keys() - seen == {"span.id", "error.message", "error.stack_trace"}


def test_every_line_says_when_where_and_how_bad(written: Records) -> None:
    always = {"@timestamp", "log.level", "message", "ecs.version", "log.logger"}

    for lines in written.values():
        assert [record for record in lines if not always <= record.keys()] == []


def test_start_and_end_are_there(written: Records) -> None:
    for part, lines in written.items():
        said = [record["message"] for record in lines]
        assert any("Listening at" in message for message in said), part
        assert any("Worker exiting" in message for message in said), part


def test_the_line_of_a_run_has_its_marks(run: tuple[Calls, Records, str]) -> None:
    miss = line(run, "python miss")

    assert miss.pop("event.duration") > 100_000
    for name in ("@timestamp", "ecs.version"):
        miss.pop(name)
    assert miss == {
        "log.level": "info",
        "log.logger": "access",
        "message": "POST /execute 200",
        "service.name": "lambda-controller",
        "event.dataset": "lambda.access",
        "event.outcome": "success",
        "trace.id": TRACE_ID,
        "http.request.id": run[0].ids["python miss"],
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "url.path": f"/api/v1/execute/{run[0].sessions['python']}",
        "user.id": run[0].client.sub,
        "faas.name": "python-echo",
        "faas.coldstart": False,
        "labels.language": "python",
        "labels.session_id": run[0].sessions["python"],
        "labels.cache": "miss",
    }


@pytest.mark.parametrize("language", SCRIPTS)
def test_hits_are_told_from_misses(run: tuple[Calls, Records, str], language: str) -> None:
    hit = line(run, f"{language} hit")

    assert (hit["labels.cache"], hit["labels.language"]) == ("hit", language)
    assert hit["labels.call_id"] == "of-the-gateway"
    assert line(run, f"{language} miss")["labels.cache"] == "miss"
    assert line(run, "refresh")["labels.cache"] == "refresh"


@pytest.mark.parametrize(
    ("kind", "status", "code", "verdict"),
    [
        ("error", 500, "RUNTIME_ERROR", "exception"),
        ("timeout", 504, "TIMEOUT", None),
        ("hung up", 499, "CLIENT_GONE", None),
        ("no session", 404, "NOT_FOUND", None),
        ("no json", 415, "INVALID_REQUEST", None),
        ("no token", 401, "UNAUTHORIZED", None),
        ("no path", 404, "NOT_FOUND", None),
        ("no method", 405, "INVALID_REQUEST", None),
    ],
)
def test_failures_have_their_code(
    run: tuple[Calls, Records, str], kind: str, status: int, code: str, verdict: str | None
) -> None:
    failed = line(run, kind)

    assert failed["http.response.status_code"] == status
    assert failed["event.outcome"] == "failure"
    assert (failed["error.code"], failed.get("error.type")) == (code, verdict)


@pytest.mark.parametrize(("kind", "verdict"), [("error", "exception"), ("timeout", None)])
def test_a_runtime_tells_its_side_of_a_failure(
    run: tuple[Calls, Records, str], kind: str, verdict: str | None
) -> None:
    theirs = line(run, kind, "runtime-python")

    assert theirs["service.name"] == "lambda-runtime-python"
    assert theirs["labels.session_id"] == run[0].sessions["python"]
    assert (theirs["faas.name"], theirs["user.id"]) == ("python-echo", run[0].client.sub)
    assert theirs["url.path"] == "/runtime/python/echo"
    assert theirs["error.code"] == line(run, kind)["error.code"]
    assert theirs.get("error.type") == verdict
    assert 0 < theirs["event.duration"] < line(run, kind)["event.duration"]


def test_one_line_a_request_and_none_for_probes(run: tuple[Calls, Records, str]) -> None:
    calls, written, _ = run
    lines = [record for record in written["controller"] if record.get("event.dataset") == "lambda.access"]

    assert len(lines) == len(SCRIPTS) + len(calls.ids) - len({"health"})
    assert not [record for record in lines if record["url.path"] in ("/health", "/metrics")]


def test_neither_scripts_nor_queries_are_heard(run: tuple[Calls, Records, str]) -> None:
    assert "said by" not in run[2]
    assert "hunter2" not in run[2]


def test_what_ships_and_what_shows_them_fit_the_template() -> None:
    template = json.loads((ELASTIC / "index-template.json").read_text())
    policy = json.loads((ELASTIC / "lifecycle-policy.json").read_text())["policy"]["phases"]
    (stream,) = template["index_patterns"]

    assert template["template"]["settings"]["index.lifecycle.name"] == "lambda-logs"
    assert policy["delete"]["actions"] == {"delete": {}}
    for name in ("filebeat-docker.yml", "filebeat-kubernetes.yml"):
        settings = yaml.safe_load((ELASTIC / name).read_text())
        assert settings["output.elasticsearch"]["index"] == stream
        (shipped,) = settings["filebeat.inputs"]
        parsers = {key: value for parser in shipped["parsers"] for key, value in parser.items()}
        assert parsers["ndjson"]["expand_keys"] and parsers["ndjson"]["overwrite_keys"]
        assert list(parsers) == ["container", "ndjson"]


def test_saved_searches_ask_for_declared_fields() -> None:
    view, *searches = (json.loads(each) for each in (ELASTIC / "kibana.ndjson").read_text().splitlines())
    types = declared()

    assert view["attributes"]["timeFieldName"] in types
    assert json.loads(view["attributes"]["fieldFormatMap"]).keys() <= types.keys()
    assert len(searches) == 2
    for search in searches:
        source = json.loads(search["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
        asked = {word for word in source["query"]["query"].split() if "." in word and '"' not in word}
        assert asked and asked | set(search["attributes"]["columns"]) <= types.keys()
        (reference,) = search["references"]
        assert (reference["id"], reference["name"]) == (view["id"], source["indexRefName"])
