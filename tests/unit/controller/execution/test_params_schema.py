"""check_params: what a schema lets through, and where it points."""

import json
from typing import Any

import pytest

from controller.errors import InvalidParams
from controller.execution.params_schema import ERRORS_MAX, MESSAGE_MAX, check_params

SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {
            "a": {"type": "number"},
            "b/c": {"items": {"enum": ["x", "y"]}},
            "~": {"type": "string"},
        },
        "required": ["a"],
    }
)


@pytest.mark.parametrize("params", [{"a": 1}, {"a": 0.5, "b/c": ["x"], "more": None}])
def test_what_fits_passes(params: dict[str, Any]) -> None:
    assert check_params(SCHEMA, params) is None  # type: ignore[func-returns-value]


@pytest.mark.parametrize(
    ("params", "pointers"),
    [
        ({}, [""]),
        ({"a": "1"}, ["/a"]),
        ({"a": 1, "b/c": ["x", "z"]}, ["/b~1c/1"]),
        ({"a": True, "~": 1}, ["/a", "/~0"]),
    ],
)
def test_what_does_not_fit_is_pointed_at(params: dict[str, Any], pointers: list[str]) -> None:
    with pytest.raises(InvalidParams) as refused:
        check_params(SCHEMA, params)
    errors = refused.value.details["errors"]
    assert sorted(error["pointer"] for error in errors) == pointers
    assert all(error["message"] for error in errors)


def test_what_is_told_is_bounded() -> None:
    with pytest.raises(InvalidParams) as refused:
        check_params(SCHEMA, {"a": 1, "b/c": ["q" * 10_000] * 1000})
    errors = refused.value.details["errors"]
    assert len(errors) == ERRORS_MAX
    assert max(len(error["message"]) for error in errors) <= MESSAGE_MAX + 1


def test_schemas_are_of_draft_2020_12() -> None:
    schema = json.dumps({"properties": {"pair": {"prefixItems": [{"type": "string"}], "items": False}}})
    check_params(schema, {"pair": ["x"]})
    with pytest.raises(InvalidParams):
        check_params(schema, {"pair": ["x", "y"]})
