"""What the Python client raises for an answer that is no success."""

import json
from typing import Any

import pytest

from lambda_ms import DeadlinePassed, ScriptError, ScriptFailed, ServiceError, UnexpectedAnswer, errors
from lambda_ms.errors import error_of
from tests.unit.clients.contract import CODES


def answer(code: str, **details: Any) -> bytes:
    return json.dumps(
        {"request_id": "id", "error": {"code": code, "message": "why", "details": details}}
    ).encode()


@pytest.mark.parametrize("code", sorted(CODES))
def test_each_code_has_its_exception(code: str) -> None:
    error = error_of(400, {"X-Request-ID": "r", "Retry-After": "7"}, answer(code))

    assert isinstance(error, ServiceError)
    assert type(error) is not ServiceError
    assert (error.code, error.message, error.request_id, error.retry_after) == (code, "why", "id", 7.0)
    assert error.http_request_id == "r"


def test_a_code_that_is_not_known_yet_is_raised_as_it_is() -> None:
    error = error_of(418, {}, answer("TEAPOT"))

    assert type(error) is ServiceError
    assert error.code == "TEAPOT"


def test_an_error_of_a_script_tells_where_and_why() -> None:
    details = {"kind": "exception", "type": "KeyError", "line": 2, "column": 5, "hint": "h", "stdout": "out"}

    error = error_of(500, {}, answer("RUNTIME_ERROR", **details, stack_trace="trace"))

    assert isinstance(error, ScriptFailed)
    assert (error.kind, error.type, error.line, error.column) == ("exception", "KeyError", 2, 5)
    assert (error.hint, error.stdout, error.stderr, error.stack_trace) == ("h", "out", "", "trace")


def test_a_deadline_is_an_error_of_the_script() -> None:
    error = error_of(504, {}, answer("TIMEOUT", timeout_ms=10, stdout="so far"))

    assert isinstance(error, DeadlinePassed)
    assert isinstance(error, ScriptError)
    assert error.stdout == "so far"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": "x"}', b'{"error": {"code": []}}'])
def test_the_answer_of_another_program_is_told_so(body: bytes) -> None:
    error = error_of(502, {}, body)

    assert isinstance(error, UnexpectedAnswer)
    assert error.status == 502
    assert issubclass(UnexpectedAnswer, errors.LambdaError)
