"""Verdicts on generated schemas and values are those of the package jsonschema."""

import json
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from controller.json_schema.checks import check_schema, errors_of

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
