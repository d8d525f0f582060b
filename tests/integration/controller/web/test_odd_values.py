"""Texts that PostgreSQL cannot keep, and numbers in unusual forms, in every field of a body.

Each is refused with a pointer or kept as it is. A repeat of the request is answered in the same way.
"""

import copy
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from tests.acceptance.client import Client
from tests.integration.controller.pair import Pair

NAME = "python-odd"
PATH = f"/api/v1/functions/{NAME}"
#: JSON has them only as escapes: halves of a surrogate pair, and NUL.
TEXTS = ["a\udfff b", "\0"]
NUMBERS = [3.0, -0.0, 0.5, 10**30, True, None]
FULL: dict[str, Any] = {
    "script_content": "result = 1",
    "description": "odd",
    "tags": ["a", "b"],
    "schema": {
        "params": {"title": "t", "type": "object", "properties": {"n": {"minLength": 1, "pattern": "a"}}},
        "result": {"title": "t", "enum": ["x", 1]},
    },
    "enforce_result": False,
    "examples": [{"name": "one", "params": {"x": "y", "n": 1}, "result": {"x": ["y", 1]}}],
    "defaults": {
        "timeout_ms": 700,
        "cache_ttl": 9,
        "isolation": "session",
        "context": {"environment": "e", "k": [1, "v"]},
        "compile_options": {"optimization_level": "debug", "features": ["f"], "target": "wasm32-wasip1"},
    },
    "lock": "",
    "refresh_packages": False,
}
KEPT = ("description", "tags", "schema", "examples", "defaults")
INITIALIZE: dict[str, Any] = {
    "script_content": "result = 1",
    "context": {
        "environment": "e",
        "user_id": "u",
        "timeout_ms": 700,
        "retain_session": True,
        "isolation": "session",
        "compile_options": {"optimization_level": "debug", "features": ["f"], "target": "wasm32-wasip1"},
        "k": [1, "v"],
    },
}
BY_NAME = {
    "params": {"mark": "odd", "x": ["y", 1]},
    "context": {"environment": "e", "user_id": "u", "timeout_ms": 700, "isolation": "session", "k": [1, "v"]},
}
ALIAS = {"version": 1, "canary": {"version": 1, "weight": 0.5}}
KEY = {
    "name": "n",
    "scope": "execute:python",
    "functions": [NAME],
    "expires_at": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
}
CALLS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "put": ("PUT", PATH, FULL),
    "initialize": ("POST", "/api/v1/initialize", INITIALIZE),
    "by-name": ("POST", f"{PATH}/execute", BY_NAME),
    "alias": ("PUT", f"{PATH}/aliases/odd", ALIAS),
    "key": ("POST", "/api/v1/keys", KEY),
}


def places(document: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every value that is neither object nor array."""
    if not isinstance(document, dict | list):
        yield path
        return
    for key, value in document.items() if isinstance(document, dict) else enumerate(document):
        yield from places(value, (*path, key))


def with_value(document: Any, path: tuple[str | int, ...], value: Any) -> Any:
    changed = copy.deepcopy(document)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return changed


def with_name(document: Any, path: tuple[str | int, ...], name: str) -> Any:
    """Return the document with another name in place of the last one that an object of the path has."""
    last = max(at for at, key in enumerate(path) if isinstance(key, str))
    changed = copy.deepcopy(document)
    inner = changed
    for key in path[:last]:
        inner = inner[key]
    inner[name] = inner.pop(path[last])
    return changed


FIELDS = [
    pytest.param(call, path, id=f"{call} /{'/'.join(map(str, path))}")
    for call, (_, _, body) in CALLS.items()
    for path in places(body)
    if path != ("params", "mark")  # It is the runtime's, which takes texts alone.
]


@pytest.fixture(scope="module")
def client(pair: Pair) -> Client:
    one, _ = pair.clients()
    one = one.speaking_for(one.sub, "execute:all read:functions keys")
    assert one.request("PUT", PATH, json=FULL).status_code == 201
    return one


def ask(client: Client, call: str, body: Any) -> requests.Response:
    method, path, _ = CALLS[call]
    return client.request(method, path, json=body, headers={"Language-Title": NAME})


def check_answers(client: Client, call: str, body: Any) -> list[str]:
    """Ask twice. Return the pointers of the refusal."""
    first, second = ask(client, call, body), ask(client, call, body)
    assert first.ok == second.ok, (first.text, second.text)
    if first.ok:
        # What was put equals the version that it has made.
        assert second.status_code == 200 or call not in {"put", "alias"}
        kept = KEPT if call == "put" else ()
        assert {name: second.json()[name] for name in kept if name in body} == {
            name: body[name] for name in kept if name in body
        }
        return []
    error = first.json()["error"]
    assert error == second.json()["error"]
    assert first.status_code < 500, error
    pointers = [each["pointer"] for each in error["details"].get("errors", ())]
    # A scope that the maker lacks, and a version that is not there, are well-formed.
    assert pointers or error["code"] in {"FORBIDDEN", "NOT_FOUND"}, error
    return pointers


@pytest.mark.parametrize(("call", "path"), FIELDS)
def test_texts(client: Client, call: str, path: tuple[str | int, ...]) -> None:
    place = f"/{'/'.join(map(str, path))}"
    for text in TEXTS:
        pointers = check_answers(client, call, with_value(CALLS[call][2], path, text))
        assert all(place.startswith(pointer) for pointer in pointers)
        check_answers(client, call, with_name(CALLS[call][2], path, text))


@pytest.mark.parametrize(("call", "path"), FIELDS)
def test_numbers(client: Client, call: str, path: tuple[str | int, ...]) -> None:
    place = f"/{'/'.join(map(str, path))}"
    for number in NUMBERS:
        pointers = check_answers(client, call, with_value(CALLS[call][2], path, number))
        assert all(place.startswith(pointer) for pointer in pointers)


@pytest.mark.parametrize("number", [3.0, 281064.0])
def test_a_whole_number_may_be_written_with_a_point(client: Client, number: float) -> None:
    put = with_value(FULL, ("defaults",), {"timeout_ms": number, "cache_ttl": number})
    written = ask(client, "put", put).text
    assert f'"timeout_ms":{number:.0f}' in written
    assert f'"cache_ttl":{number:.0f}' in written
    assert ask(client, "by-name", {"params": {"mark": "odd"}, "context": {"timeout_ms": number}}).ok
    assert ask(client, "alias", {"version": 1.0}).json()["version"] == 1
