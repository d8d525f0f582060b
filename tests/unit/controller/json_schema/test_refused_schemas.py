"""check_schema: what is no schema, and where the error points."""

from typing import Any

import pytest

from controller.errors import InvalidRequest
from controller.json_schema.checks import SCHEMA_MAX_LENGTH, check_schema
from controller.json_schema.compiler import DEPTH_MAX, DIALECT, PATTERNS_MAX


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"items": schema}
    return schema


def doubling(levels: int) -> dict[str, Any]:
    chain = {f"a{level}": {"allOf": [{"$ref": f"#/$defs/a{level + 1}"}] * 2} for level in range(levels)}
    return {"$defs": {**chain, f"a{levels}": {}}, "$ref": "#/$defs/a0"}


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        (1, ""),
        ([], ""),
        ({"type": "text"}, "/type"),
        ({"type": []}, "/type"),
        ({"properties": {"a/b": {"minLength": -1}}}, "/properties/a~1b/minLength"),
        ({"properties": []}, "/properties"),
        ({"properties": {"a": 1}}, "/properties/a"),
        ({"allOf": []}, "/allOf"),
        ({"required": ["a", "a"]}, "/required"),
        ({"required": "a"}, "/required"),
        ({"dependentRequired": {"a": [1]}}, "/dependentRequired/a/0"),
        ({"enum": 1}, "/enum"),
        ({"minimum": "1"}, "/minimum"),
        ({"multipleOf": 0}, "/multipleOf"),
        ({"uniqueItems": 1}, "/uniqueItems"),
        ({"title": 1}, "/title"),
        ({"examples": {}}, "/examples"),
        ({"then": {"type": 1}}, "/then/type"),
        ({"minContains": 1.5}, "/minContains"),
        # What another draft means differs.
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "/$schema"),
        ({"items": [{}]}, "/items"),
        # Patterns that need backtracking, or are none.
        ({"pattern": "(?=a)"}, "/pattern"),
        ({"pattern": r"(a)\1"}, "/pattern"),
        ({"pattern": "("}, "/pattern"),
        ({"pattern": "((a{100}){100}){100}"}, "/pattern"),
        ({"pattern": "\ud800"}, "/pattern"),
        ({"patternProperties": {"(?<!x)": {}}}, "/patternProperties/(?<!x)"),
        (
            {"patternProperties": {f"a{n}": {} for n in range(PATTERNS_MAX + 1)}},
            f"/patternProperties/a{PATTERNS_MAX}",
        ),
        # References out of the document, or to nothing.
        ({"$ref": "https://example.org/schema"}, "/$ref"),
        ({"$ref": DIALECT}, "/$ref"),
        ({"$ref": "file:///etc/passwd"}, "/$ref"),
        ({"$ref": "//[/"}, "/$ref"),
        ({"$dynamicRef": "other#a"}, "/$dynamicRef"),
        ({"$ref": "#/$defs/none"}, "/$ref"),
        ({"$ref": "#none"}, "/$ref"),
        ({"$ref": 1}, "/$ref"),
        ({"allOf": [{}], "$ref": "#/allOf/1"}, "/$ref"),
        ({"$id": "https://a.example/", "items": {"$ref": "https://b.example/"}}, "/items/$ref"),
        # Parts that are no schemas, which the metaschema does not look at.
        ({"x": {"type": 5}, "$ref": "#/x"}, "/$ref"),
        ({"enum": [{"type": 5}], "$ref": "#/enum/0"}, "/$ref"),
        ({"items": {"$ref": "#/properties"}, "properties": {}}, "/items/$ref"),
        # Other resources in the document.
        ({"items": {"$schema": "http://json-schema.org/draft-07/schema#"}}, "/items/$schema"),
        ({"$defs": {"a": {"$id": "https://a.example/"}}}, "/$defs/a/$id"),
        ({"$id": "https://a.example/#part"}, "/$id"),
        ({"$id": 1}, "/$id"),
        ({"$defs": {"a": {"$anchor": "x"}, "b": {"$dynamicAnchor": "x"}}}, "/$defs/b/$dynamicAnchor"),
        # Circles that do not descend, references that multiply, levels.
        ({"$ref": "#"}, ""),
        ({"items": {"anyOf": [{"not": {"$ref": "#/items"}}]}}, "/items"),
        ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"if": {"$ref": "#/$defs/a"}}}}, "/$defs/a"),
        (nested(DEPTH_MAX + 1), "/items" * (DEPTH_MAX + 1)),
    ],
)
def test_a_refusal_points_at_the_reason(document: Any, pointer: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_schema(document)
    [error] = refused.value.details["errors"]
    assert error["message"]
    assert error["pointer"] == pointer


@pytest.mark.parametrize(
    "document",
    [
        True,
        {},
        nested(DEPTH_MAX),
        doubling(5),
        {"$schema": DIALECT, "$id": "urn:example:tree", "items": {"$ref": "#"}},
        {"properties": {"x": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}},
        {"properties": {"$id": {"type": "string"}, "$ref": {"type": "string"}}},
        {"enum": [{"$ref": "https://example.org"}], "default": {"pattern": "("}},
        {"minLength": 2.0, "definitions": {"a": {}}, "$ref": "#/definitions/a"},
    ],
)
def test_what_is_bounded_is_accepted(document: Any) -> None:
    assert check_schema(document) is None  # type: ignore[func-returns-value]


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (doubling(30), "multiply"),
        ({"description": "x" * SCHEMA_MAX_LENGTH}, "longer"),
        ({"anyOf": [{}] * 60_000}, "too long"),
    ],
)
def test_what_multiplies_or_takes_long_is_refused(document: Any, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        check_schema(document)
