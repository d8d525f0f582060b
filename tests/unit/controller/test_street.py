"""How much of the controller a cached execution goes through: each function on that way is paid by every hit."""

import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, cast

import jwt
import pytest

import controller
from controller.auth.authenticator import Authenticator
from controller.auth.signing_keys import FixedKey
from controller.call import CallFactory
from controller.database.postgres import Postgres
from controller.health import HealthCheck, IsolationCheck
from controller.limits.rate_limit import RateLimiter
from controller.limits.settings import Limits
from controller.observability.masking import DEFAULT_MASKER
from controller.runtimes.client import RuntimeClient
from controller.runtimes.selector import RuntimeSelector
from controller.runtimes.transport.balancer import Balancer
from controller.web.execute import ExecuteRoute
from controller.web.openapi.reference import REFERENCE
from controller.web.parsing import RequestParser
from controller.web.routes import routes_of
from controller.web.services import Services
from telemetry.tracing import UNTRACED
from tests.unit.controller.heart import Process

FUNCTIONS_MAX = 93
FILES_MAX = 26
SECRET = "s" * 32
ROOT = str(Path(controller.__file__).parent)


class Entered:
    """The functions of the controller that are entered within the block."""

    def __init__(self) -> None:
        self.functions: set[tuple[str, str]] = set()

    def __enter__(self) -> "Entered":
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(ROOT):
            self.functions.add((code.co_filename[len(ROOT) + 1 :], code.co_qualname))


@pytest.fixture
def route(one: Process) -> ExecuteRoute:
    """`POST /{request_id}` as a server calls it."""
    selector = RuntimeSelector({})
    runtimes = RuntimeClient(Balancer(1, 1, 1.0, lambda *_: None), "secret", timeout=1)
    services = Services(
        parser=RequestParser(1000, 1000),
        authenticator=Authenticator(FixedKey("HS256", SECRET), "HS256"),
        limiter=RateLimiter(one.cache, Limits(execute=100, anonymous=1, initialize=1, functions=1, manage=1)),
        workflow=one.workflow,
        sessions=one.sessions,
        functions=one.functions,
        registrar=one.registrar,
        environments=one.catalog,
        keys=one.keys,
        history=one.history,
        health=HealthCheck(one.cache, Postgres("", size=1, timeout=1), selector, runtimes),
        isolation=IsolationCheck(selector, runtimes.isolation),
        contract={},
        console=REFERENCE,
        reference=REFERENCE,
    )
    calls = CallFactory("execute", one.metrics, UNTRACED, one.logger, DEFAULT_MASKER)
    (row,) = routes_of("execute")
    return ExecuteRoute(row, services, calls, None, others=cast(Any, None))


def request(request_id: str, token: str) -> dict[str, Any]:
    body = json.dumps({"params": {"a": 1}}).encode()
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": f"/{request_id}",
        "QUERY_STRING": "",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_AUTHORIZATION": f"Bearer {token}",
        "REMOTE_ADDR": "192.0.2.1",
        "wsgi.input": io.BytesIO(body),
    }


def test_a_cached_hit_enters_few_functions(one: Process, route: ExecuteRoute) -> None:
    session = one.begin()
    one.execute(session, {"a": 1})
    token = jwt.encode({"sub": "alice", "exp": time.time() + 60, "scope": "execute:all"}, SECRET, "HS256")
    statuses: list[str] = []

    def start_response(status: str, *_: object) -> Callable[[bytes], object]:
        statuses.append(status)
        return lambda _: None

    for _ in range(2):
        # The first one makes what the second one finds: the token's identity, the metrics' children.
        environ = request(session.request_id, token)
        with Entered() as entered:
            (body,) = route(environ, start_response)
        assert json.loads(body)["cached"] is True
    assert statuses == ["200 OK"] * 2
    files = {file for file, _ in entered.functions}
    assert len(entered.functions) <= FUNCTIONS_MAX, sorted(entered.functions)
    assert len(files) <= FILES_MAX, sorted(files)
    assert {"web/execute.py", "execution/workflow.py", "cache/memory.py"} <= files
