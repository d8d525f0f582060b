"""What the service refuses, and how it says so."""

import time
from typing import Any

import jwt
import pytest
import requests

from tests.acceptance.client import Client, error_of

SCRIPT = "result = 1"


def test_an_answer_echoes_the_request_id(client: Client) -> None:
    given = client.request("GET", "/health", headers={"X-Request-ID": "my-id.1"})
    assert given.headers["X-Request-ID"] == "my-id.1"
    made = client.request("GET", "/nowhere")
    assert len(made.headers["X-Request-ID"]) == 36


@pytest.mark.covers("NOT_FOUND", "INVALID_REQUEST 405")
@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "NOT_FOUND"),
        ("GET", "/api/v1/initialize", 405, "INVALID_REQUEST"),
        ("GET", "/api/v1/sessions/%00", 400, "INVALID_REQUEST"),
        ("GET", "/api/v1/functions/nodash", 400, "INVALID_REQUEST"),
    ],
)
def test_paths_and_methods(client: Client, method: str, path: str, status: int, code: str) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    error_of(answer, code)
    if status == 405:
        assert "Allow" in answer.headers


@pytest.mark.covers("INVALID_REQUEST 400", "INVALID_REQUEST 413", "INVALID_REQUEST 415")
@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{}", "text/plain", 415),
        (b"{", "application/json", 400),
        (b'{"params": {"a": 1, "a": 2}}', "application/json; charset=utf-8", 400),
        (b'{"params": {}, "more": 1}', "application/json", 400),
        (b" " * (8 * 1024 * 1024 + 1), "application/json", 413),
    ],
)
def test_bodies(client: Client, body: bytes, content_type: str, status: int) -> None:
    headers = {"Content-Type": content_type}
    answer = client.request("POST", "/api/v1/execute/x", data=body, headers=headers)
    assert answer.status_code == status
    error_of(answer, "INVALID_REQUEST")


@pytest.mark.parametrize("header", ["X-Request-ID", "X-Call-Id", "traceparent"])
def test_nothing_sent_becomes_a_header_of_the_answer(client: Client, header: str) -> None:
    answer = client.request("GET", "/health", headers={header: "a%0d%0aSet-Cookie: b=1"})
    assert "Set-Cookie" not in answer.headers
    assert len(answer.headers["X-Request-ID"]) == 36


def bearer(secret: str, **claims: Any) -> str:
    return "Bearer " + jwt.encode({"sub": "x", "exp": time.time() + 60} | claims, secret, algorithm="HS256")


@pytest.mark.covers("UNAUTHORIZED")
def test_tokens(client: Client, jwt_secret: str) -> None:
    for authorization, reason in (
        (None, ""),
        ("Bearer nonsense", "malformed"),
        (bearer("x" * 32), "signature"),
        (bearer(jwt_secret, exp=time.time() - 3600), "expired"),
        (bearer(jwt_secret, iat=time.time() + 3600), "not yet valid"),
    ):
        headers = {"Authorization": authorization} if authorization else {}
        answer = requests.get(client.url + "/api/v1/functions", headers=headers, timeout=60)
        assert answer.status_code == 401
        told = answer.headers["WWW-Authenticate"]
        assert reason in told if reason else told == "Bearer"
        assert reason in error_of(answer, "UNAUTHORIZED")["message"]


@pytest.mark.covers("FORBIDDEN")
def test_scopes(client: Client) -> None:
    reader = client.speaking_for("scoped", "read:functions")
    pythonist = client.speaking_for("scoped", "execute:python")
    error_of(reader.initialize("python-scoped", SCRIPT), "FORBIDDEN")
    request_id = pythonist.begin("python-scoped", SCRIPT)
    assert pythonist.result(request_id) == 1
    error_of(reader.execute(request_id), "FORBIDDEN")
    error_of(reader.session(request_id), "FORBIDDEN")
    error_of(reader.request("DELETE", f"/api/v1/sessions/{request_id}"), "FORBIDDEN")
    error_of(pythonist.initialize("nodejs-scoped", "return 1"), "FORBIDDEN")
    error_of(pythonist.request("GET", "/api/v1/functions"), "FORBIDDEN")


@pytest.mark.covers("specification 6: malformed Language-Title 400")
@pytest.mark.parametrize("name", ["Python-x", "python", "python-" + "x" * 65, "python-a b"])
def test_language_titles(client: Client, name: str) -> None:
    answer = client.initialize(name, SCRIPT)
    assert answer.status_code == 400
    error_of(answer, "INVALID_REQUEST")


@pytest.mark.covers("specification 6: unknown runtime 404")
def test_a_language_without_a_runtime(client: Client) -> None:
    answer = client.initialize("cobol-x", SCRIPT)
    assert answer.status_code == 404
    error_of(answer, "NOT_FOUND")
