"""The stack's own functions, each from its own build folder, environment and process."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import jwt
import pytest
import requests

from local.postgres import PostgresServer
from local.redis import RedisServer
from tests.integration.openfaas.build import Build
from tests.integration.openfaas.conftest import Serve
from tests.integration.openfaas.served import Served

LIBRARIES = {"initialize": "controller", "execute": "controller", "runtime-python": "runtime"}
SECRETS = {"JWT_SECRET": "j" * 32, "RUNTIME_SECRET": "r" * 32}
SCRIPT = "def handle(params):\n    return {'sum': params['a'] + params['b']}\n"


@dataclass(frozen=True)
class Stack:
    """Three functions as a client of the gateway sees them."""

    initialize: Served
    execute: Served
    runtime: Served

    def new_session(self) -> str:
        answer = requests.post(
            self.initialize.url,
            json={"script_content": SCRIPT},
            headers=_headers() | {"Language-Title": "python-adder"},
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        request_id: str = answer.json()["request_id"]
        return request_id

    def run(self, request_id: str, body: bytes | Iterator[bytes]) -> requests.Response:
        return requests.post(f"{self.execute.url}/{request_id}", data=body, headers=_headers(), timeout=30)


def _headers() -> dict[str, str]:
    claims = {"sub": "stack", "scope": "execute:all", "exp": time.time() + 600}
    token = jwt.encode(claims, SECRETS["JWT_SECRET"], algorithm="HS256")
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}


@pytest.fixture(scope="module")
def environments(build: Build) -> dict[str, Path]:
    """The three environments, made side by side."""
    with ThreadPoolExecutor() as pool:
        made = {name: pool.submit(build.installed, name, library) for name, library in LIBRARIES.items()}
        return {name: environment.result() for name, environment in made.items()}


@pytest.fixture
def stack(
    environments: dict[str, Path],
    serve: Serve,
    postgres_server: PostgresServer,
    redis_server: RedisServer,
    tmp_path: Path,
) -> Iterator[Stack]:
    secret_files = {}
    for name, value in {
        **SECRETS,
        "POSTGRES_URL": postgres_server.url,
        "REDIS_URL": redis_server.url,
    }.items():
        secret_files[f"{name}_FILE"] = str(tmp_path / name)
        (tmp_path / name).write_text(f"{value}\n")
    with ExitStack() as running:
        runtime = serve(
            "runtime-python", variables={"RUNTIME_SECRET_FILE": secret_files["RUNTIME_SECRET_FILE"]}
        )
        running.enter_context(runtime)
        variables = secret_files | {"RUNTIME_URLS": f"python={runtime.url}", "METRICS_PORT": "0"}
        initialize = running.enter_context(serve("initialize", variables=variables))
        execute = running.enter_context(serve("execute", variables=variables))
        yield Stack(initialize, execute, runtime)


def test_a_script_is_initialized_by_one_function_and_executed_by_another(stack: Stack) -> None:
    request_id = stack.new_session()
    first = stack.run(request_id, b'{"params": {"a": 2, "b": 40}}')
    # In chunks and without a length, as the watchdog hands bodies on.
    second = stack.run(request_id, iter([b'{"params": {"a": 2,', b' "b": 40}}']))

    assert (first.status_code, second.status_code) == (200, 200), first.text + second.text
    assert first.json()["result"] == {"sum": 42}
    assert (first.json()["cached"], second.json()["cached"]) == (False, True)


def test_errors_keep_their_shape_on_the_way_through(stack: Stack) -> None:
    answers = [
        requests.post(stack.initialize.url, json={}, headers={"Language-Title": "python-adder"}, timeout=10),
        stack.run("no-such-session", b"{}"),
        stack.run(stack.new_session(), b'{"params": {"a": 1}}'),
        requests.post(f"{stack.runtime.url}/runtime/python/adder", json={}, timeout=10),
    ]

    assert [(answer.status_code, answer.json()["error"]["code"]) for answer in answers] == [
        (401, "UNAUTHORIZED"),
        (404, "NOT_FOUND"),
        (500, "RUNTIME_ERROR"),
        (401, "UNAUTHORIZED"),
    ]


@pytest.mark.usefixtures("environments")
def test_neither_library_can_be_imported_where_the_other_runs(build: Build) -> None:
    found = {
        name: {
            module for module in ("controller", "runtime", "local", "tests") if build.imports(name, module)
        }
        for name in LIBRARIES
    }

    assert found == {"initialize": {"controller"}, "execute": {"controller"}, "runtime-python": {"runtime"}}
