"""What a schema lets through, where it points, and verdicts that are those of the package jsonschema."""

import json
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from controller.errors import InvalidParams
from controller.json_schema.checks import (
    ERRORS_MAX,
    LARGE,
    LARGE_REMEMBERED,
    check_params,
    check_schema,
    compiled_schema,
    errors_of,
)
from controller.json_schema.compiler import MESSAGE_MAX, POINTER_MAX
from controller.json_schema.values import QUOTED_MAX

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


def test_messages_quote_little_of_a_value_and_pointers_are_cut() -> None:
    schema = json.dumps({"additionalProperties": {"type": "array", "maxItems": 0}})
    huge = {"k" * 100_000: "v" * 100_000, "big": 10**4000, "list": [["x" * 1000] * 1000]}
    errors = errors_of(schema, huge)
    assert len(errors) == 3
    assert all(len(error["message"]) <= MESSAGE_MAX + 1 for error in errors)
    assert all(len(error["pointer"]) <= POINTER_MAX + 1 for error in errors)


@pytest.mark.parametrize(
    ("schema", "value", "pointers"),
    [
        ({"anyOf": [{"type": "string"}, {"properties": {"a": {"type": "string"}}}]}, {"a": 1}, [""]),
        ({"properties": {"a": {"not": {"const": 1}}}}, {"a": 1.0}, ["/a"]),
        ({"allOf": [{"properties": {"a": True}}], "unevaluatedProperties": False}, {"a": 1, "b": 2}, [""]),
        (
            {"allOf": [{"properties": {"a": True}}], "unevaluatedProperties": {"type": "null"}},
            {"b": 2},
            ["/b"],
        ),
        (
            {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}},
            {"a": 1},
            [""],
        ),
        (
            {"prefixItems": [True], "items": {"$ref": "#/$defs/n"}, "$defs": {"n": {"minimum": 3}}},
            [1, 2, 3],
            ["/1"],
        ),
        (
            {"$id": "https://x.example/s", "$ref": "#n", "$defs": {"n": {"$anchor": "n", "type": "null"}}},
            1,
            [""],
        ),
        ({"$dynamicRef": "#n", "$defs": {"n": {"$dynamicAnchor": "n", "type": "null"}}}, 1, [""]),
        ({"pattern": "^[a-z]+$"}, "A", [""]),
        ({"pattern": "^a.b$"}, "a\ud800b", []),
        ({"uniqueItems": True}, [1, True, "1", None, [1], {"a": 1}], []),
        ({"uniqueItems": True}, [{"a": 1, "b": [2]}, {"b": [2.0], "a": 1}], [""]),
        pytest.param({"multipleOf": 0.01}, 10**400, [], id="huge multiple"),
        ({"multipleOf": 0.0001}, 0.0075, []),
        ({"type": "integer"}, 1.0, []),
        ({"type": "number"}, True, [""]),
        ({"format": "ipv4", "unknown": {"type": 1}}, "no address", []),
    ],
)
def test_errors_point_at_the_value(schema: Any, value: Any, pointers: list[str]) -> None:
    assert [error["pointer"] for error in errors_of(json.dumps(schema), value)] == pointers


def test_messages_name_what_was_expected() -> None:
    schema = json.dumps(
        {"properties": {"a": {"enum": ["x", "{}"]}, "b": {"type": "number"}}, "required": ["c"]}
    )
    assert sorted(error["message"] for error in errors_of(schema, {"a": "y", "b": "1"})) == [
        "'1' is not of type 'number'",
        "'c' is a required property",
        "'y' is not one of ['x', '{}']",
    ]


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        ({"maxItems": 1}, list(range(100)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …] is too long"),
        ({"type": "null"}, {"a": [1], "b": {"c": 1}}, "{'a': […], 'b': {…}} is not of type 'null'"),
        ({"type": "null"}, 10**1000, "the integer is not of type 'null'"),
        ({"const": None}, "x" * 100_000, "None was expected"),
        ({"maxLength": 1}, "x" * 100_000, f"'{'x' * QUOTED_MAX}…' is too long"),
        ({"enum": [["x"] * 50_000]}, 1, "1 is not one of [[…]]"),
        (
            {"additionalProperties": False},
            {"a": 1},
            "Additional properties are not allowed ('a' was unexpected)",
        ),
    ],
)
def test_messages_quote_the_beginning_of_values(schema: Any, value: Any, message: str) -> None:
    assert [error["message"] for error in errors_of(json.dumps(schema), value)] == [message]


def test_recursive_schemas_descend() -> None:
    tree = json.dumps({"properties": {"of": {"items": {"$ref": "#"}}, "name": {"type": "string"}}})
    value: Any = {"name": 1}
    for _ in range(40):
        value = {"name": "x", "of": [value]}
    assert [error["pointer"] for error in errors_of(tree, value)] == ["/of/0" * 40 + "/name"]


def test_schemas_are_remembered_and_large_ones_are_few() -> None:
    small, large = '{"items": true}', json.dumps({"description": "x" * LARGE})
    assert compiled_schema(small) is compiled_schema(small)
    first = compiled_schema(large)
    assert compiled_schema(large) is first
    for number in range(LARGE_REMEMBERED):
        compiled_schema(json.dumps({"description": "x" * LARGE, "title": str(number)}))
    assert compiled_schema(large) is not first


NAMES = st.sampled_from(["a", "b", "ab", "c"])
NUMBERS = st.one_of(st.integers(-4, 8), st.sampled_from([0.5, 1.0, 1.5, -2.0, 1e300]))
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, st.sampled_from(["", "a", "ab", "abc", "ü", "1"]))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=10,
)
SIZES = st.integers(0, 4)
PATTERNS = st.sampled_from(["a", "^a", "b$", "^[a-c]{2}$", "^(ab|c)*$", "."])
TYPES = st.sampled_from(["array", "boolean", "integer", "null", "number", "object", "string"])


def keywords(schema: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Schemas with a few keywords. `minContains` is only there with `contains`, and so on."""
    schemas, named = st.lists(schema, min_size=1, max_size=3), st.dictionaries(NAMES, schema, max_size=3)
    names = st.lists(NAMES, unique=True, max_size=2)
    each = {
        "type": st.one_of(TYPES, st.lists(TYPES, unique=True, min_size=1, max_size=3)),
        "enum": st.lists(VALUES, min_size=1, max_size=3),
        "const": VALUES,
        **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), NUMBERS),
        "multipleOf": st.sampled_from([1, 2, 3, 0.5, 1.5, 2.0]),
        **dict.fromkeys(
            ("minLength", "maxLength", "minItems", "maxItems", "minContains", "maxContains"), SIZES
        ),
        **dict.fromkeys(("minProperties", "maxProperties"), SIZES),
        "pattern": PATTERNS,
        "uniqueItems": st.booleans(),
        "required": names,
        "dependentRequired": st.dictionaries(NAMES, names, max_size=2),
        **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), schemas),
        **dict.fromkeys(("not", "if", "then", "else", "items", "contains", "propertyNames"), schema),
        **dict.fromkeys(("additionalProperties", "unevaluatedProperties", "unevaluatedItems"), schema),
        **dict.fromkeys(("properties", "dependentSchemas"), named),
        "patternProperties": st.dictionaries(PATTERNS, schema, max_size=2),
    }
    pairs = st.sampled_from(sorted(each)).flatmap(lambda name: st.tuples(st.just(name), each[name]))
    return st.lists(pairs, min_size=1, max_size=5).map(dict)


LEAVES = st.one_of(
    st.booleans(), st.sampled_from([{"$ref": "#/$defs/leaf"}, {"items": {"$ref": "#"}}]), st.just({})
)
SCHEMAS = st.recursive(LEAVES, keywords, max_leaves=12).map(
    lambda schema: {"$defs": {"leaf": {"type": "integer"}}, "allOf": [schema]}
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SCHEMAS, st.lists(VALUES, min_size=1, max_size=5))
def test_verdicts_are_those_of_jsonschema(schema: Any, values: list[Any]) -> None:
    check_schema(schema)
    yardstick = Draft202012Validator(schema)
    for value in values:
        holds = yardstick.is_valid(value)
        event(f"holds: {holds}")
        assert (errors_of(json.dumps(schema), value) == []) == holds
