"""A worker's report is untrusted: any report becomes an error of the contract's form."""

from typing import Any

import pytest

from runtime.process.failures import initialization_failure, script_failure
from runtime.process.hints import Allowed

PYTHON = Allowed("python")
ODDITIES: list[Any] = [None, 1, "x", [], {}, {"message": 5}, {"line": "1", "column": True, "diagnostics": {}}]


@pytest.mark.parametrize("answer", ODDITIES)
def test_an_odd_failure_becomes_a_valid_error(answer: Any) -> None:
    error = script_failure(answer, "out", "err", PYTHON)
    assert error.message == "the script failed"
    assert error.details == {
        "kind": "exception", "type": None, "line": None, "column": None, "stack_trace": None,
        "stdout": "out", "stderr": "err",
    }  # fmt: skip


@pytest.mark.parametrize("answer", ODDITIES)
def test_an_odd_refusal_becomes_a_valid_error(answer: Any) -> None:
    error = initialization_failure(answer, "parse", PYTHON)
    diagnostic = {"message": error.message, "line": None, "column": None}
    assert error.details == {"stage": "parse", "line": None, "column": None, "diagnostics": [diagnostic]}


@pytest.mark.parametrize(
    ("told", "taken"),
    [("memory_limit", "memory_limit"), ("crashed", "exception"), ("x", "exception"), ([], "exception")],
)
def test_only_kinds_that_a_worker_can_know_are_accepted(told: Any, taken: str) -> None:
    assert script_failure({"message": "m", "kind": told}, "", "", PYTHON).details["kind"] == taken


def test_long_texts_and_lists_are_cut() -> None:
    error = initialization_failure(
        {"message": "m" * 1_000_000, "diagnostics": [{}] * 5000}, "compile", PYTHON
    )
    assert len(error.message) == 64 * 1024
    assert len(error.details["diagnostics"]) == 100
