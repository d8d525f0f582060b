"""RuntimeClient: what each way a request ends is for the client of the service."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec import Raw

from controller.errors import DeadlinePassed, RateLimited, RuntimeUnavailable, ScriptFailed, ServiceError
from controller.models.registered import LanguageTitle, Script
from controller.observability.correlation import CorrelationIds
from controller.runtimes.client import RuntimeClient
from controller.runtimes.responses import ScriptNeeded
from controller.runtimes.selector import RuntimeRoute
from controller.runtimes.transport.failures import (
    AnswerLate,
    CircuitOpen,
    NoFreeConnection,
    NothingRan,
    RequestFailed,
)
from controller.runtimes.transport.messages import Answer, Budget, Request
from tests.calls import new_session

ROUTE = RuntimeRoute("python", ("http://one", "http://two"))
IDS = CorrelationIds("request-1")


class Line:
    """A transport that ends every request in one way, and remembers them."""

    def __init__(self, end: Answer | Exception) -> None:
        self._end = end
        self.sent: list[tuple[str, Request, float]] = []

    def send(
        self,
        addresses: Sequence[str],
        key: str,
        request: Request,
        budget: Budget,
        declined: Callable[[Answer], bool],
    ) -> Answer:
        assert tuple(addresses) == ROUTE.addresses
        self.sent.append((key, request, budget.answered_by - budget.begun_by))
        return self.ask("", request, budget)

    def ask(self, address: str, request: Request, budget: Budget) -> Answer:
        if isinstance(self._end, Exception):
            raise self._end
        return self._end


def run(end: Answer | Exception) -> Any:
    return RuntimeClient(Line(end), "secret", 5).run(ROUTE, new_session(), Raw(b"{}"), IDS)


def document(status: int, code: str) -> Answer:
    error = {"code": code, "message": "m", "details": {"kind": "exception"}}
    return Answer(status, json.dumps({"error": error}).encode())


@pytest.mark.parametrize(
    ("end", "raised"),
    [
        (NoFreeConnection("x"), RateLimited),
        (CircuitOpen("x"), RuntimeUnavailable),
        (NothingRan("x"), RuntimeUnavailable),
        (RequestFailed("x"), RuntimeUnavailable),
        (AnswerLate("x"), DeadlinePassed),
        (Answer(429, b"Too Many Requests"), RateLimited),
        (Answer(504, b""), DeadlinePassed),
        (Answer(500, b""), RuntimeUnavailable),
        (Answer(502, b"<html>"), RuntimeUnavailable),
        (Answer(200, b"[" * 100_000), RuntimeUnavailable),
        (Answer(200, b"\xff"), RuntimeUnavailable),
        (Answer(200, b"{}"), RuntimeUnavailable),
        (document(429, "RATE_LIMITED"), RateLimited),
        (document(500, "RUNTIME_ERROR"), ScriptFailed),
        (document(504, "TIMEOUT"), DeadlinePassed),
        (document(503, "RUNTIME_UNAVAILABLE"), RuntimeUnavailable),
        (document(401, "UNAUTHORIZED"), RuntimeUnavailable),
        (document(500, "INTERNAL_ERROR"), RuntimeUnavailable),
    ],
)
def test_every_end_is_the_contracts(end: Answer | Exception, raised: type[ServiceError]) -> None:
    with pytest.raises(raised) as error:
        run(end)
    assert ("Retry-After" in error.value.headers()) == (raised in {RateLimited, RuntimeUnavailable})


def test_a_script_that_the_runtime_lacks_is_asked_for() -> None:
    with pytest.raises(ScriptNeeded):
        run(document(409, "SCRIPT_NEEDED"))


def test_prepare_and_run_of_a_script_go_the_same_way_with_their_own_time() -> None:
    session = new_session()
    line = Line(Answer(200, b'{"result": 1, "execution_time": 2, "stdout": "", "stderr": ""}'))
    client = RuntimeClient(line, "secret", 5)
    assert client.run(ROUTE, session, Raw(b'{"a": 1}'), IDS).result == Raw(b"1")
    client.prepare(
        ROUTE,
        LanguageTitle("py", "hello"),
        Script("", session.script_hash),
        tenant=session.user_id,
        compile_options={},
        deadline_ms=60_000,
        ids=IDS,
    )
    (run_key, ran, run_time), (prepare_key, prepared, prepare_time) = line.sent
    assert run_key == prepare_key
    assert (ran.path, prepared.path) == ("/runtime/python/hello", "/runtime/python/hello/prepare")
    assert [run_time, prepare_time] == pytest.approx([0.1, 60.0])
    assert (ran.constant, ran.headers) == ("X-Runtime-Secret: secret\r\n", {"X-Request-ID": "request-1"})


@pytest.mark.parametrize(
    ("end", "well"), [(Answer(200, b""), True), (Answer(503, b""), False), (NothingRan("x"), False)]
)
def test_health_is_a_200(end: Answer | Exception, well: bool) -> None:
    assert RuntimeClient(Line(end), "secret", 5).healthy("http://one") is well
