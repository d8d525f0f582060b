"""The fast check of a body accepts only what the schema accepts, and reads the same values."""

import json
from typing import Any

import pytest
from msgspec import Raw

from runtime.errors import InvalidRequest
from runtime.frames import FrameError
from runtime.front import schemas
from runtime.json_codec import decode_run, encode

GOOD: dict[str, Any] = {
    "request_id": "r-1",
    "tenant": "t1",
    "script_hash": "a" * 64,
    "params": {"a": 1},
    "context": {"b": 2},
    "timeout_ms": 1000,
    "isolation": "session",
    "compile_options": {"features": []},
}

CHANGES: list[dict[str, Any]] = [
    {"request_id": "r 1"}, {"request_id": ""}, {"request_id": "r" * 65}, {"request_id": "r\n"}, {"request_id": 1},
    {"tenant": ""}, {"tenant": "t" * 257}, {"tenant": None},
    {"script_hash": "A" * 64}, {"script_hash": "a" * 63}, {"script_hash": "a" * 64 + "\n"}, {"script_hash": None},
    {"params": []}, {"params": None}, {"context": "x"}, {"compile_options": []},
    {"timeout_ms": 0}, {"timeout_ms": 3_600_001}, {"timeout_ms": True}, {"timeout_ms": "1"}, {"timeout_ms": 1.5},
    {"isolation": "none"}, {"isolation": None},
    {"script_content": 1}, {"artifact": "not base64!"},
    {"environment": "A" * 64}, {"environment": "a" * 64 + "\n"}, {"environment": 1}, {"environment": ""},
]  # fmt: skip


def outcome(body: dict[str, Any]) -> Any:
    try:
        return schemas.run_request("python", json.dumps(body).encode(), lambda _: None)
    except InvalidRequest as error:
        return error.details


def by_schema(body: dict[str, Any]) -> Any:
    """Add a field that only the schema ignores, so that the schema is used."""
    return outcome({**body, "script_content": body.get("script_content")})


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_the_fast_check_accepts_nothing_that_the_schema_refuses(change: dict[str, Any]) -> None:
    body = {**GOOD, **change}
    assert outcome(body) == by_schema(body)
    assert set(outcome(body)["errors"]) == set(change)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"unknown": 1},
        {"isolation": "execution"},
        {"timeout_ms": 3_600_000},
        {"context": {}},
        {"environment": "e" * 64},
        {"environment": None},
    ],
    ids=str,
)
def test_the_fast_check_and_the_schema_read_the_same_values(change: dict[str, Any]) -> None:
    body = {**GOOD, **change}
    assert outcome(body) == by_schema(body)
    assert outcome(body)[0].tenant == "t1"
    assert outcome(body)[0].environment == (change.get("environment") or "")


@pytest.mark.parametrize("more", [{}, {"script_content": "x = 1"}])
def test_params_pass_as_they_came(more: dict[str, Any]) -> None:
    text = '{"b":  1e5, "a": "\\u0061é"}'
    body = encode(GOOD | more | {"unknown": 1, "params": Raw(text.encode())})
    _, arguments = schemas.run_request("python", body, lambda _: None)
    assert isinstance(arguments.params, Raw)
    assert bytes(arguments.params) == text.encode()
    assert arguments.context == GOOD["context"]


@pytest.mark.parametrize("text", ["[]", "1", "null", '"{}"'])
def test_params_that_are_no_object_are_refused(text: str) -> None:
    body = encode(GOOD | {"params": Raw(text.encode())})
    with pytest.raises(InvalidRequest):
        schemas.run_request("python", body, lambda _: None)


def test_half_a_surrogate_pair_is_read_in_params_and_beside_them() -> None:
    for change in ({"params": {"a": "\ud800"}}, {"context": {"a": "\ud800"}}):
        assert decode_run(json.dumps(GOOD | change).encode()) == GOOD | change


@pytest.mark.parametrize(
    "params", [b'{"a": 01}', b'{"a" 1}', b'{"a": "\xff"}', b'{"a": "\n"}', b"{", b"[" * 100_000]
)
def test_params_that_are_no_json_are_refused(params: bytes) -> None:
    with pytest.raises(FrameError):
        decode_run(encode(GOOD | {"params": None}).replace(b"null", params))
