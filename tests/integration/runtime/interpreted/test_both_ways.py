"""RuntimeClient against a real runtime, over HTTP and over frames: both ways end each call alike."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.event import Event
from msgspec import Raw

from controller.errors import (
    DeadlinePassed,
    InitializationFailed,
    RuntimeUnavailable,
    ScriptFailed,
    ServiceError,
)
from controller.json_codec import dumps
from controller.models.outcome import Run
from controller.models.registered import LanguageTitle, Script
from controller.observability.correlation import CorrelationIds
from controller.runtimes.client import Prepared, RuntimeClient
from controller.runtimes.responses import ScriptNeeded
from controller.runtimes.selector import RuntimeRoute
from controller.runtimes.transport.balancer import Balancer
from framing.place import with_frames
from tests.calls import new_session
from tests.integration.controller.runtimes.transport.server import refusing_address
from tests.integration.runtime.interpreted.served import SECRET, Server
from tests.waiting import until_greenlets

IDS = CorrelationIds("request-1", "call-1", "00-" + "a" * 32 + "-" + "b" * 16 + "-01")
ECHO = "def handle(params): return params"
SLEEPING = "import time\ndef handle(params):\n    time.sleep(params['s'])\n    return params['s']\n"


class Caller:
    """A controller's client of one runtime.

    Args:
        addresses: of the runtime.
        secret: that it sends.
    """

    def __init__(self, *addresses: str, secret: str = SECRET) -> None:
        self.balancer = Balancer(64, 10**6, 1.0, secret=secret)
        self._client = RuntimeClient(self.balancer, secret, 30)
        self.addresses = addresses

    def run(
        self,
        script: str,
        params: Any = None,
        timeout_ms: int = 20_000,
        *,
        send: bool = True,
        language: str = "python",
    ) -> Run:
        wanted = Script.of(script)
        session = new_session(script_hash=wanted.hash, timeout_ms=timeout_ms)
        payload: Any = {"script_content": script} if send else None
        route = RuntimeRoute(language, self.addresses)
        return self._client.run(route, session, Raw(dumps(params or {})), IDS, payload)

    def result(self, script: str, params: Any = None) -> Any:
        return bytes(self.run(script, params).result)

    def prepare(self, script: str) -> Prepared:
        return self._client.prepare(
            RuntimeRoute("python", self.addresses), LanguageTitle("python", "x"), Script.of(script),
            tenant="t", compile_options={}, deadline_ms=20_000, ids=IDS,
        )  # fmt: skip

    def reached(self) -> bool:
        try:
            return bool(self.result("result = 1") == b"1")
        except RuntimeUnavailable:
            return False


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A Python runtime, and the place of its frames."""
    place = f"unix:{tmp_path_factory.mktemp('f') / 'socket'}"
    settings = {"RUNTIME_FRAMES": place, "RUNTIME_BODY_MAX_BYTES": str(4 << 20)}
    with Server("python", tmp_path_factory.mktemp("python"), settings) as server:
        yield server, place


@pytest.fixture(scope="module", params=["http", "frames"])
def caller(request: pytest.FixtureRequest, served: tuple[Server, str]) -> Caller:
    """Calls by one of the two ways. There is no HTTP where frames are tested."""
    server, place = served
    if request.param == "http":
        return Caller(server.address)
    made = Caller(with_frames(refusing_address(), place))
    until_greenlets(made.reached, "calls go as frames")
    return made


def idle(server: Server) -> bool:
    counts = server.workers()
    return counts["busy"] == counts["waiting"] == 0


def test_results_come_back_as_json(caller: Caller) -> None:
    assert caller.result(ECHO, {"a": ["ü", 1.5, None]}) == '{"a":["ü",1.5,null]}'.encode()
    run = caller.run("print('out')\nresult = context['trace_id']")
    assert (bytes(run.result), run.stdout) == (b'"' + b"a" * 32 + b'"', "out\n")
    assert run.usage["cpu_time"] > 0


def test_errors_have_the_same_code_and_details(caller: Caller) -> None:
    with pytest.raises(ScriptFailed) as failed:
        caller.run("print('before')\nraise ValueError('no')")
    details = failed.value.details
    assert (details["kind"], details["type"], details["line"], details["stdout"]) == (
        "exception", "ValueError", 2, "before\n",
    )  # fmt: skip
    assert failed.value.usage is not None
    with pytest.raises(DeadlinePassed) as late:
        caller.run("while True: pass", timeout_ms=200)
    assert late.value.details["timeout_ms"] == 200
    with pytest.raises(InitializationFailed):
        caller.run("def (")


def test_a_script_that_the_runtime_lacks_is_asked_for(caller: Caller) -> None:
    with pytest.raises(ScriptNeeded):
        caller.run("result = 'nobody has sent this'", send=False)


def test_prepare_parses_and_runs_nothing(caller: Caller) -> None:
    assert caller.prepare("result = 1 / 0") == Prepared()
    with pytest.raises(InitializationFailed) as failed:
        caller.prepare("x = (")
    assert failed.value.details["line"] == 1


def test_a_wrong_path_is_our_own_error(caller: Caller) -> None:
    with pytest.raises(RuntimeUnavailable):
        caller.run("result = 1", language="ruby")


def test_large_params_and_results(caller: Caller) -> None:
    text = "x" * (3 << 20)
    assert caller.result("def handle(params): return len(params['text'])", {"text": text}) == b"3145728"
    assert len(caller.result("def handle(params): return 'y' * (5 << 20)")) == (5 << 20) + 2


def test_sixteen_calls_at_the_same_time(caller: Caller) -> None:
    calls = [
        gevent.spawn(caller.result, ECHO, {"n": number, "text": "z" * number * 3000}) for number in range(16)
    ]
    gevent.joinall(calls, timeout=120)
    assert [
        call.value and call.value.startswith(f'{{"n":{number},'.encode()) for number, call in enumerate(calls)
    ] == [True] * 16


def test_a_call_whose_client_leaves_ends_in_the_runtime(caller: Caller, served: tuple[Server, str]) -> None:
    server, _ = served
    until_greenlets(lambda: idle(server), "nothing runs")
    left = gevent.spawn(caller.run, SLEEPING, {"s": 600}, 900_000)
    until_greenlets(lambda: server.workers()["busy"] == 1, "the script runs")
    other = gevent.spawn(caller.result, SLEEPING, {"s": 1})
    left.kill()
    until_greenlets(lambda: idle(server), "the call has ended", timeout=60)
    # Calls beside it on the same connection go on.
    assert other.get(timeout=60) == b"1"


def test_a_wrong_secret_is_no_answer(served: tuple[Server, str]) -> None:
    server, place = served
    for address in (
        server.address,
        with_frames(refusing_address(), place),
        with_frames(server.address, place),
    ):
        wrong = Caller(address, secret="another secret of sixteen")
        for _ in range(2):
            with pytest.raises(RuntimeUnavailable):
                wrong.run("result = 1")
            gevent.sleep(0)


def test_without_a_place_to_reach_calls_go_by_http(served: tuple[Server, str], tmp_path: Path) -> None:
    server, _ = served
    caller = Caller(with_frames(server.address, f"unix:{tmp_path / 'nothing'}"))
    assert [caller.result("result = 1") for _ in range(3)] == [b"1"] * 3


def test_what_a_frame_may_not_hold_goes_by_http(served: tuple[Server, str]) -> None:
    """The runtime's refusal is that of HTTP, and the connection's other calls are not harmed."""
    server, place = served
    caller = Caller(with_frames(server.address, place))
    other = gevent.spawn(caller.run, SLEEPING, {"s": 1})
    with pytest.raises(RuntimeUnavailable):
        caller.run(ECHO, {"text": "x" * (5 << 20)})
    assert bytes(other.get(timeout=60).result) == b"1"


def test_sigterm_finishes_calls_and_sends_new_ones_elsewhere(tmp_path: Path) -> None:
    place = f"unix:{tmp_path / 'socket'}"
    states = [tmp_path / "1", tmp_path / "2"]
    for state in states:
        state.mkdir()
    with (
        Server("python", states[0], {"RUNTIME_FRAMES": place}) as one,
        Server("python", states[1], {}) as two,
    ):
        first = Caller(with_frames(refusing_address(), place))
        until_greenlets(first.reached, "calls to the first go as frames")
        both = Caller(with_frames(one.address, place))
        until_greenlets(both.reached, "the first answers")
        running = gevent.spawn(first.run, SLEEPING, {"s": 2})
        until_greenlets(lambda: one.workers()["busy"] == 1, "a script runs on the first")
        both.addresses += (two.address,)
        one.terminate()
        outcomes: list[str] = []

        def call() -> None:
            while not running.ready():
                try:
                    both.result("result = 2")
                    outcomes.append("ok")
                except ServiceError as error:
                    outcomes.append(f"{error.code}: {error.__cause__}")
                gevent.sleep(0.01)

        calls = [gevent.spawn(call) for _ in range(4)]
        assert bytes(running.get(timeout=60).result) == b"2"
        gevent.joinall(calls, timeout=60)
        assert set(outcomes) == {"ok"}


@pytest.mark.parametrize("seed", range(2))
def test_calls_whose_connection_is_cut_fail_or_are_answered_and_the_next_ones_work(
    served: tuple[Server, str], seed: int
) -> None:
    chance = random.Random(seed)
    server, place = served
    caller = Caller(with_frames(server.address, place))
    until_greenlets(caller.reached, "the runtime answers")
    line: Any = next(iter(caller.balancer._peers.values())).pool._frames
    cut = Event()
    seen: list[str] = []

    def call() -> None:
        while not cut.is_set():
            try:
                number = chance.randrange(10**6)
                assert caller.result(ECHO, {"n": number}) == f'{{"n":{number}}}'.encode()
                seen.append("ok")
            except ServiceError as error:
                seen.append(error.code)
            gevent.sleep(0.002)

    calls = [gevent.spawn(call) for _ in range(8)]
    for _ in range(3):
        until_greenlets(lambda: line.connection() is not None, "calls go as frames")
        gevent.sleep(chance.random() * 0.05)
        connection = line.connection()
        if connection is not None:
            connection._stream._socket.shutdown(2)
    cut.set()
    gevent.joinall(calls, timeout=120)
    assert all(each.successful() for each in calls)
    assert set(seen) <= {"ok", "RUNTIME_UNAVAILABLE"}
    assert caller.result("result = 3") == b"3"
    until_greenlets(lambda: idle(server), "nothing is left running")
