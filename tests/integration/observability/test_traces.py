"""One call, one trace: from the caller's traceparent through controller and runtime, as a collector gets it."""

import os
import secrets
import signal
from itertools import count

import pytest

from local.supervisor.proc import children, command_line
from tests.acceptance.client import Client
from tests.acceptance.deployment import Deployment
from tests.integration.observability.collector import Collector, Span
from tests.waiting import until

CONTROLLER, PYTHON = "lambda-controller", "lambda-runtime-python"
SCRIPTS = {
    "nodejs": "module.exports = async (event) => event.context.trace_id;",
    "python": "def handle(event, context):\n    return context.get('trace_id')\n",
    "rust": """
        use serde_json::{Map, Value};
        pub fn handler(context: Map<String, Value>) -> Result<Value, String> {
            Ok(context["context"]["trace_id"].clone())
        }
    """,
}
LOOP = "def handle(params):\n    while params['loops']:\n        pass\n"


class Call:
    """What a caller that traces sends along."""

    def __init__(self, flags: str = "01") -> None:
        self.trace_id = secrets.token_hex(16)
        self.span_id = secrets.token_hex(8)
        self.headers = {"traceparent": f"00-{self.trace_id}-{self.span_id}-{flags}"}


@pytest.fixture
def client(traced: Deployment) -> Client:
    return traced.client()


def tree(spans: list[Span], parent_id: str) -> dict[str, object]:
    """Names of the spans below this one, with those below them."""
    return {
        f"{span.service}: {span.name}": tree(spans, span.span_id)
        for span in spans
        if span.parent_id == parent_id
    }


def whole(collector: Collector, call: Call, count: int) -> list[Span]:
    """The spans of a call, once so many have come and its log is written."""
    until(lambda: len(collector.of(call.trace_id)) >= count, f"{count} spans of the call")
    until(lambda: bool(collector.linked(call.trace_id)), "the log write is linked")
    return collector.of(call.trace_id)


def test_one_trace_shows_the_whole_way_over_both_processes(client: Client, collector: Collector) -> None:
    session, call = client.begin("python-adder", "def handle(params):\n    return 42\n"), Call()

    assert client.result(session, {"n": 1}, **call.headers) == 42

    spans = whole(collector, call, 8)
    assert tree(spans, call.span_id) == {
        f"{CONTROLLER}: POST /execute": {
            f"{CONTROLLER}: session lookup": {},
            f"{CONTROLLER}: redis begin": {},
            f"{CONTROLLER}: runtime call": {
                f"{PYTHON}: run": {f"{PYTHON}: queue": {}, f"{PYTHON}: script run": {}}
            },
            f"{CONTROLLER}: redis finish": {},
        }
    }
    (write,) = collector.linked(call.trace_id)
    assert write.name == "log write"
    assert write.parent_id == ""
    below = tree(collector.of(write.trace_id), write.span_id)
    assert below == {f"{CONTROLLER}: postgresql transaction": {}}


def test_spans_lie_within_their_parents_and_say_what_they_are(client: Client, collector: Collector) -> None:
    session, call = client.begin("python-adder", "def handle(params):\n    return 42\n"), Call()
    client.execute(session, {"n": 2}, **call.headers)

    spans = whole(collector, call, 8)

    known = {span.span_id: span for span in spans}
    inner = [(span, known[span.parent_id]) for span in spans if span.parent_id in known]
    assert len(inner) == len(spans) - 1
    slack = 2_000_000  # clocks of two processes, and steps that are told when they are over
    for span, parent in inner:
        assert parent.start - slack <= span.start <= span.end <= parent.end + slack, (span, parent)
    request, remote = spans[0], next(span for span in spans if span.name == "run")
    assert (request.kind, remote.kind, known[remote.parent_id].kind) == ("server", "server", "client")
    assert request.attributes == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "faas.name": "python-adder",
        "faas.coldstart": False,
        "lambda.cache": "miss",
        "lambda.language": "python",
    }


def test_a_kept_result_takes_no_runtime(client: Client, collector: Collector) -> None:
    session = client.begin("python-adder", "def handle(params):\n    return 42\n")
    client.execute(session, {"n": 3})
    call = Call()

    assert client.execute(session, {"n": 3}, **call.headers).json()["cached"]

    spans = whole(collector, call, 3)
    assert [span.name for span in spans] == ["POST /execute", "session lookup", "redis begin"]
    assert spans[0].attributes["lambda.cache"] == "hit"


def test_an_initialization_is_traced_as_well(client: Client, collector: Collector) -> None:
    call = Call()
    headers = {"Language-Title": "python-new", **call.headers}
    script = "def handle(params):\n    return 1\n"

    answer = client.request("POST", "/api/v1/initialize", json={"script_content": script}, headers=headers)

    assert answer.status_code == 200
    until(lambda: any(span.name == "prepare" for span in collector.of(call.trace_id)), "the runtime's span")
    spans = whole(collector, call, 6)
    (prepare,) = (span for span in spans if span.name == "prepare")
    assert {"queue", "worker start", "script load"} <= {span.name for span in spans if span.service == PYTHON}
    assert next(span for span in spans if span.span_id == prepare.parent_id).name == "runtime call"


def test_a_failure_is_told_by_its_code_in_every_span_that_it_passed(
    client: Client, collector: Collector
) -> None:
    session = client.begin("python-loop", LOOP, timeout_ms=200)
    call = Call()

    assert client.execute(session, {"loops": True}, **call.headers).status_code == 504

    failed = [span for span in whole(collector, call, 8) if span.failed]
    assert [span.name for span in failed] == ["POST /execute", "runtime call", "run", "script run"]
    assert {span.attributes["error.type"] for span in failed} == {"TIMEOUT"}


@pytest.mark.parametrize("language", SCRIPTS)
def test_a_script_sees_its_trace(client: Client, language: str) -> None:
    session, call = client.begin(f"{language}-trace", SCRIPTS[language]), Call()

    assert client.result(session, {}, **call.headers) == call.trace_id


def test_a_sessions_own_trace_id_is_left_alone(client: Client) -> None:
    session = client.begin("python-trace", SCRIPTS["python"], trace_id="mine")

    assert client.result(session, {}, **Call().headers) == "mine"


def test_without_a_caller_that_traces_a_trace_begins_here(client: Client, collector: Collector) -> None:
    session = client.begin("python-trace", SCRIPTS["python"])

    trace_id = client.result(session)

    until(lambda: len(collector.of(trace_id)) >= 8, "the spans of the call")
    assert [span.name for span in collector.of(trace_id) if span.parent_id == ""] == ["POST /execute"]


def test_what_its_caller_does_not_sample_is_not_exported(client: Client, collector: Collector) -> None:
    session, call, after = client.begin("python-trace", SCRIPTS["python"]), Call(flags="00"), Call()

    assert client.result(session, {"n": 1}, **call.headers) == call.trace_id

    client.execute(session, {"n": 2}, **after.headers)
    whole(collector, after, 8)
    assert collector.of(call.trace_id) == collector.linked(call.trace_id) == []


def test_probes_make_no_traces(client: Client, collector: Collector) -> None:
    call = Call()
    for path in ("/health", "/metrics"):
        assert client.request("GET", path, headers=call.headers).status_code == 200

    session, after = client.begin("python-trace", SCRIPTS["python"]), Call()
    client.execute(session, {}, **after.headers)
    whole(collector, after, 8)
    assert collector.of(call.trace_id) == []


def test_a_runtime_that_traces_starts_its_fork_server_anew(traced: Deployment, client: Client) -> None:
    """A child is forked while spans wait: nothing of the parent's may run in it."""
    session = client.begin("python-trace", SCRIPTS["python"])
    client.execute(session, {"n": 1})
    (server,) = fork_servers(traced.runtimes["python"].pid)
    os.kill(server, signal.SIGKILL)

    numbers = count(2)

    def well_again() -> bool:
        # A worker that has not been killed yet may answer once more.
        answered = client.execute(session, {"n": next(numbers)}).status_code == 200
        return answered and fork_servers(traced.runtimes["python"].pid) not in ([], [server])

    until(well_again, "the runtime is well again, with another fork server")


def fork_servers(runtime: int) -> list[int]:
    """The processes of a runtime that fork."""
    return [child for child in children(runtime) if "runtime.process.forkserver" in command_line(child)]


def test_a_collector_that_is_away_fails_no_call(client: Client, collector: Collector) -> None:
    session = client.begin("python-trace", SCRIPTS["python"])
    collector.stop()

    answers = [client.execute(session, {"n": number}, **Call().headers) for number in range(30)]

    assert [answer.status_code for answer in answers] == [200] * 30
