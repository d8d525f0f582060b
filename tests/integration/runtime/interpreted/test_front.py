"""What the front answers before a script is loaded."""

import hashlib
import os
import subprocess
import sys
from typing import Any

import pytest
import requests

from tests.conftest import ROOT
from tests.integration.runtime.interpreted.served import HEADERS, SECRET, Server

SCRIPT = "result = 1"
HASH = hashlib.sha256(SCRIPT.encode()).hexdigest()
BODY = {
    "request_id": "r1", "tenant": "t1", "script_hash": HASH, "script_content": SCRIPT,
    "params": {}, "context": {}, "timeout_ms": 1000,
}  # fmt: skip
RUN = "/runtime/python/title"


@pytest.mark.parametrize("path", [RUN, f"{RUN}/prepare"])
@pytest.mark.parametrize("headers", [{}, {"X-Runtime-Secret": "wrong"}, {"X-Runtime-Secret": SECRET + "x"}])
def test_a_call_without_the_secret_is_refused(python: Server, path: str, headers: dict[str, str]) -> None:
    answer = requests.post(python.address + path, json=BODY, headers=headers, timeout=60)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "UNAUTHORIZED"


def test_a_part_of_an_environment_needs_the_secret_and_has_a_bound(python: Server) -> None:
    address = f"{python.address}/runtime/python/environments/{HASH}/0"
    assert requests.put(address, b"", headers={"X-Runtime-Secret": "wrong"}, timeout=60).status_code == 401
    for size, status in ((8 << 20, 400), ((8 << 20) + 1, 413)):
        assert requests.put(address, bytes(size), headers=HEADERS, timeout=60).status_code == status


def test_health_needs_no_secret_and_isolation_does(python: Server) -> None:
    assert requests.get(f"{python.address}/health", timeout=60).json()["status"] == "ok"
    assert requests.get(f"{python.address}/isolation", timeout=60).status_code == 401


def test_isolation_names_the_layers_that_are_on(runtime: Server) -> None:
    answer = runtime.get("/isolation").json()
    assert answer["language"] == runtime.language
    assert answer["layers"]["no_new_privs"] is True
    assert answer["layers"]["own_session"] is True


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "/runtime/ruby/title", 404, "NOT_FOUND"),
        ("GET", RUN, 405, "INVALID_REQUEST"),
        ("PUT", f"/runtime/ruby/environments/{HASH}/0", 404, "NOT_FOUND"),
        ("POST", f"/runtime/python/environments/{HASH}/0", 405, "INVALID_REQUEST"),
        ("PUT", f"/runtime/python/environments/{HASH}/1", 409, "ENVIRONMENT_NEEDED"),
        ("PUT", f"/runtime/python/environments/{HASH}/0", 400, "INVALID_REQUEST"),
    ],
)
def test_wrong_paths_and_methods(python: Server, method: str, path: str, status: int, code: str) -> None:
    answer = requests.request(method, python.address + path, json=BODY, headers=HEADERS, timeout=60)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    "change",
    [
        {"script_hash": "0" * 64},
        {"script_content": "\ud800"},
        {"params": []},
        {"timeout_ms": 0},
        {"artifact": "!"},
    ],
    ids=str,
)
def test_a_malformed_member_is_refused(python: Server, change: dict[str, Any]) -> None:
    answer = python.post(RUN, BODY | change)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff",
        b'{"params": NaN}',
        b'{"a":' * 5000,
        b'{"a":' * 300 + b"1" + b"}" * 300,
    ],
    ids=["empty", "open", "list", "null", "text", "bytes", "nan", "deep and open", "deep"],
)
def test_a_malformed_body_is_refused(python: Server, body: bytes) -> None:
    headers = HEADERS | {"Content-Type": "application/json"}
    answer = requests.post(python.address + RUN, data=body, headers=headers, timeout=60)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_REQUEST")


def test_a_body_that_is_not_json_by_its_type_is_refused(python: Server) -> None:
    answer = requests.post(python.address + RUN, data=b"{}", headers=HEADERS, timeout=60)
    assert answer.status_code == 415


def test_the_request_id_is_echoed(python: Server) -> None:
    headers = HEADERS | {"X-Request-ID": "abc-1"}
    answer = requests.post(python.address + RUN, json=BODY, headers=headers, timeout=60)
    assert (answer.status_code, answer.headers["X-Request-ID"]) == (200, "abc-1")


@pytest.mark.parametrize(("variable", "value"), [("RUNTIME_SECRET", "short"), ("PACKAGES", "/not/there")])
def test_a_bad_setting_stops_the_start_and_is_named(variable: str, value: str) -> None:
    environment = {**os.environ, "RUNTIME_SECRET": SECRET, "METRICS_PORT": "0", variable: value}
    started = subprocess.run(
        [sys.executable, "-c", "import function.runtime_python.handler"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert started.returncode != 0
    assert variable in started.stderr.splitlines()[-1]
    assert "Traceback" not in started.stderr
