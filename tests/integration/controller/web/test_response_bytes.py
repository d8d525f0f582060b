"""The exact bytes of every kind of response: order of fields, what is left out, escapes and the line's end."""

import json
import uuid
from typing import Any

import pytest
import requests

from controller import VERSION
from tests.acceptance.client import Client
from tests.integration.controller.pair import SCRIPT, Pair

COMPACT = (",", ":")


@pytest.fixture(scope="module")
def client(pair: Pair) -> Client:
    """A user with a name that is not ASCII."""
    one, _ = pair.clients()
    return one.speaking_for(f"usér-{uuid.uuid4()}")


@pytest.fixture(scope="module")
def session(client: Client) -> str:
    return client.begin("python-written", SCRIPT)


def written(response: requests.Response, template: dict[str, Any]) -> bytes:
    """The template as JSON; `...` stands for the response's own value."""
    own = response.json()
    filled = {name: own[name] if value is ... else value for name, value in template.items()}
    return json.dumps(filled, separators=COMPACT).encode() + b"\n"


def test_initialize(client: Client) -> None:
    response = client.initialize("python-written", SCRIPT)
    expected = written(response, {"request_id": ..., "status": "initialized", "expires_at": ...})
    assert response.content == expected
    assert response.json()["expires_at"][-5:-4] == "." and response.json()["expires_at"].endswith("Z")
    assert response.headers["Content-Type"] == "application/json"


def test_execute(client: Client, session: str) -> None:
    body = '{"request_id":"%s","language_title":"python-written","execution_time":1.5,"cached":%s,"result":1}'
    for cached in ("false", "true"):
        response = client.execute(session, {"mark": session})
        assert response.content == (body % (session, cached)).encode()
        assert response.headers["Content-Type"] == "application/json"


def test_session(client: Client) -> None:
    session = client.begin("python-written", SCRIPT)
    template = {
        "request_id": session,
        "language_title": "python-written",
        "status": "active",
        "created_at": ...,
        "expires_at": ...,
        "execution_count": 0,
        "last_executed_at": None,
        "compile_status": None,
    }
    response = client.session(session)
    assert response.content == written(response, template)
    client.result(session, {"mark": session})
    response = client.session(session)
    assert response.content == written(response, template | {"execution_count": 1, "last_executed_at": ...})
    ended = client.request("DELETE", f"/api/v1/sessions/{session}")
    assert (ended.status_code, ended.content) == (204, b"")


#: What version 1.1 of the contract adds to a function.
OF_VERSIONS: dict[str, Any] = {
    "newest": 1,
    "script_hash": ...,
    "enforce_result": False,
    "defaults": {},
    "packages": [],
    "environment": None,
    "aliases": [],
}


def test_functions(client: Client, session: str) -> None:
    response = client.request("GET", "/api/v1/functions", params={"type": "dynamic", "per_page": 5})
    (listed,) = response.json()["functions"]
    summary = {
        "language": "python",
        "title": "written",
        "language_title": "python-written",
        "description": "",
        "type": "dynamic",
        "user_id": client.sub,
        "created_at": listed["created_at"],
        "updated_at": listed["updated_at"],
    }
    page = {"total": 1, "page": 1, "per_page": 5, "functions": [summary], "cursor": None}
    assert response.content == written(response, page)
    assert rb"us\u00e9r-" in response.content
    rest = {"version": 1, "tags": [], "schema": {}, "examples": [], "compile_options": {}} | OF_VERSIONS
    response = client.request("GET", "/api/v1/functions/python-written")
    assert response.content == written(response, summary | rest | {"script_content": SCRIPT})


def test_a_predefined_function(client: Client) -> None:
    response = client.request("GET", "/api/v1/functions/python-text_processor")
    template: dict[str, Any] = dict.fromkeys(
        ("language", "title", "language_title", "description", "type"), ...
    )
    template |= {"user_id": None, "created_at": ..., "updated_at": ..., "version": 1}
    template |= dict.fromkeys(("tags", "schema", "examples", "compile_options"), ...)
    template |= OF_VERSIONS
    assert response.content == written(response, template)
    assert list(response.json()["schema"]) == ["params", "result"]
    assert [list(example) for example in response.json()["examples"]] == [["params", "result"]] * 4


def test_health(client: Client) -> None:
    components = '{"controller":"ok","redis":"ok","postgres":"ok","runtimes":%s}'
    runtimes = '{"nodejs":"absent","python":"ok","rust":"absent","typescript":"absent"}'
    expected = f'{{"status":"ok","version":"{VERSION}","components":{components % runtimes}}}\n'.encode()
    for path in ("/health", "/"):
        assert client.request("GET", path).content == expected


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "message"),
    [
        ("GET", "/api/v1/nothing", 404, "NOT_FOUND", "there is no such path"),
        ("PUT", "/api/v1/functions", 405, "INVALID_REQUEST", "method not allowed"),
        ("GET", "/api/v1/execute/x", 405, "INVALID_REQUEST", "method not allowed"),
        ("GET", "/api/v1/functions/python-%C3%A9", 400, "INVALID_REQUEST", ...),
        ("GET", "/api/v1/functions/python-nothing", 404, "NOT_FOUND", "there is no function python-nothing"),
        ("GET", "/api/v1/sessions/x", 404, "NOT_FOUND", "there is no such session"),
    ],
)
def test_errors(client: Client, method: str, path: str, status: int, code: str, message: Any) -> None:
    response = client.request(method, path)
    known = response.json()["error"]["message"] if message is ... else message
    error = {"code": code, "message": known, "details": {}}
    assert response.status_code == status
    assert response.content == json.dumps({"error": error}, separators=COMPACT).encode() + b"\n"


def test_errors_of_an_execution(client: Client, session: str) -> None:
    failed = client.execute(session, {"mark": f"{session}-fails", "fails": "RUNTIME_ERROR"})
    assert failed.status_code == 500
    error = '{"code":"RUNTIME_ERROR","message":"run 1","details":{}}'
    assert failed.content == f'{{"request_id":"{session}","error":{error}}}'.encode()
    unknown = client.execute("x", {})
    assert unknown.content == (
        b'{"error":{"code":"NOT_FOUND","message":"there is no such session","details":{}}}'
    )


def test_keys(pair: Pair) -> None:
    maker, _ = pair.clients("execute:all keys")
    asked = {"name": "nächtlich", "scope": "execute:python"}
    made = maker.request("POST", "/api/v1/keys", json=asked)
    template = {
        "key_id": ...,
        "key": ...,
        "name": "nächtlich",
        "scope": "execute:python",
        "functions": None,
        "expires_at": ...,
    }
    assert made.status_code == 201
    assert made.content == written(made, template)
    listed = maker.request("GET", "/api/v1/keys")
    (shown,) = listed.json()["keys"]
    names = ["key_id", "name", "scope", "functions", "created_at", "expires_at", "last_used_at"]
    assert list(shown) == names
    assert listed.content == written(listed, {"keys": ...})
    ended = maker.request("DELETE", f"/api/v1/keys/{shown['key_id']}")
    assert (ended.status_code, ended.content) == (204, b"")
