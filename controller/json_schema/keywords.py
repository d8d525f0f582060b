"""The library's validator, with keywords of our own where counting cannot bound the library's.

What is checked counts the looks at it (`controller.json_schema.values`), and so does the schema: whatever the library
does, it looks at members.
"""

from collections.abc import Callable, Collection, Iterator
from fractions import Fraction
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend
from referencing import Registry

from controller.json_schema.values import Text, canonical
from controller.json_schema.work import charge, search

Errors = Iterator[ValidationError]
Keyword = Callable[[Any, Any, Any, Any], Any]
#: Steps of asking whether a value holds, which is a few calls of the library.
_STEPS = 10


class Pattern(Text):
    """A pattern in a compiled schema, with its RE2 program in `program`."""

    program: Any


class Reference(Text):
    """A reference in a compiled schema, with the schema that it means in `target`."""

    target: Any


def _holds(validator: Any, instance: Any, schema: Any) -> bool:
    charge(_STEPS)
    return bool(validator.evolve(schema=schema).is_valid(instance))


def _reference(validator: Any, reference: Reference, instance: Any, _: Any) -> Errors:
    # The document is the only one, so `$dynamicRef` means the same as `$ref`.
    yield from validator.descend(instance, reference.target)


def _type(validator: Any, types: Any, instance: Any, schema: Any) -> Any:
    # The most frequent keyword. The library reaches its most frequent case late, and this saves what counting costs.
    if isinstance(types, str) and validator.TYPE_CHECKER.is_type(instance, types):
        return ()
    return Draft202012Validator.VALIDATORS["type"](validator, types, instance, schema)


def _pattern(_: Any, pattern: Pattern, instance: Any, __: Any) -> Errors:
    if isinstance(instance, str) and not search(pattern.program, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _multiple_of(validator: Any, divisor: Any, instance: Any, schema: Any) -> Errors:
    if isinstance(instance, int):
        # Long division takes the time of the digits, multiplied.
        charge((instance.bit_length() >> 7) ** 2 >> 5)
    try:
        yield from Draft202012Validator.VALIDATORS["multipleOf"](validator, divisor, instance, schema)
    except OverflowError:
        # The library divides an integer by a fraction as floats.
        if abs(instance) == float("inf") or (Fraction(instance) / Fraction(repr(divisor))).denominator != 1:
            yield ValidationError(f"{instance!r} is not a multiple of {divisor!r}")


def _unique_items(_: Any, unique: Any, instance: Any, __: Any) -> Errors:
    # The library compares each pair, if the items cannot be sorted.
    if not unique or not isinstance(instance, list):
        return
    seen = set()
    for item in instance:
        text = canonical(item)
        if text in seen:
            yield ValidationError(f"{instance!r} has {item!r} twice")
            return
        seen.add(text)


def _contains(validator: Any, argument: Any, instance: Any, schema: Any) -> Errors:
    if isinstance(instance, list):
        # The library makes one validator for all items, and asks it without a look at the schema.
        charge(_STEPS * len(instance))
    yield from Draft202012Validator.VALIDATORS["contains"](validator, argument, instance, schema)


def _any_of(validator: Any, schemas: Any, instance: Any, _: Any) -> Errors:
    # The library keeps all errors of all alternatives.
    if not any(_holds(validator, instance, each) for each in schemas):
        yield ValidationError(f"{instance!r} is not valid under any of the given schemas")


def _one_of(validator: Any, schemas: Any, instance: Any, _: Any) -> Errors:
    fitting = (each for each in schemas if _holds(validator, instance, each))
    if next(fitting, None) is None:
        yield ValidationError(f"{instance!r} is not valid under any of the given schemas")
    elif next(fitting, None) is not None:
        yield ValidationError(f"{instance!r} is valid under more than one of the given schemas")


def _pattern_properties(validator: Any, schemas: Any, instance: Any, _: Any) -> Errors:
    if isinstance(instance, dict):
        for pattern, schema in schemas.items():
            for name, value in instance.items():
                if search(pattern.program, name):
                    yield from validator.descend(value, schema, path=name, schema_path=pattern)


def _additional_properties(validator: Any, argument: Any, instance: Any, schema: Any) -> Errors:
    if isinstance(instance, dict):
        yield from _others(validator, argument, instance, _named(instance, schema), "Additional properties")


def _unevaluated_properties(validator: Any, argument: Any, instance: Any, schema: Any) -> Errors:
    if isinstance(instance, dict):
        evaluated = _evaluated(validator, instance, schema)
        yield from _others(validator, argument, instance, evaluated, "Unevaluated properties")


def _unevaluated_items(validator: Any, argument: Any, instance: Any, schema: Any) -> Errors:
    if isinstance(instance, list):
        evaluated = _evaluated(validator, instance, schema)
        yield from _others(validator, argument, instance, evaluated, "Unevaluated items")


def _others(validator: Any, argument: Any, instance: Any, known: Collection[Any], what: str) -> Errors:
    """Check the members that are not known against the argument."""
    for at in instance if isinstance(instance, dict) else range(len(instance)):
        if at in known:
            continue
        if argument is False:
            unexpected = at if isinstance(instance, dict) else instance[at]
            yield ValidationError(f"{what} are not allowed ({unexpected!r} was unexpected)")
        else:
            yield from validator.descend(instance[at], argument, path=at)


def _named(instance: Any, schema: Any) -> set[Any]:
    """Return the members that `properties` and `patternProperties` look at."""
    named = {name for name in schema.get("properties", ()) if name in instance}
    for pattern in schema.get("patternProperties", ()):
        named.update(name for name in instance if search(pattern.program, name))
    return named


def _evaluated(validator: Any, instance: Any, schema: Any) -> set[Any]:
    """Return the names or indexes that a schema evaluates, if it holds, without its `unevaluated…`."""
    everything: Collection[Any] = instance if isinstance(instance, dict) else range(len(instance))
    charge(_STEPS + len(everything))
    if ("additionalProperties" if isinstance(instance, dict) else "items") in schema:
        return set(everything)
    if isinstance(instance, dict):
        evaluated = _named(instance, schema)
    else:
        evaluated = set(range(len(schema.get("prefixItems", ()))))
        if "contains" in schema:
            found = validator.evolve(schema=schema["contains"])
            evaluated.update(at for at in everything if found.is_valid(instance[at]))
    unevaluated = "unevaluatedProperties" if isinstance(instance, dict) else "unevaluatedItems"
    for applied in _applied(validator, instance, schema):
        if isinstance(applied, dict):
            if unevaluated in applied:
                return set(everything)
            evaluated |= _evaluated(validator, instance, applied)
    return evaluated


def _applied(validator: Any, instance: Any, schema: Any) -> Iterator[Any]:
    """Yield the schemas that a schema applies to the same value and that hold."""
    yield from (schema[name].target for name in ("$ref", "$dynamicRef") if name in schema)
    # Without these the schema does not hold.
    yield from schema.get("allOf", ())
    for name in ("anyOf", "oneOf"):
        yield from (each for each in schema.get(name, ()) if _holds(validator, instance, each))
    if "if" in schema:
        holds = _holds(validator, instance, schema["if"])
        yield schema["if"] if holds else True
        yield schema.get("then" if holds else "else", True)
    if isinstance(instance, dict) and "dependentSchemas" in schema:
        yield from (each for name, each in schema["dependentSchemas"].items() if name in instance)


OWN: dict[str, Keyword] = {
    "$ref": _reference,
    "$dynamicRef": _reference,
    "type": _type,
    "pattern": _pattern,
    "multipleOf": _multiple_of,
    "uniqueItems": _unique_items,
    "contains": _contains,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "unevaluatedProperties": _unevaluated_properties,
    "unevaluatedItems": _unevaluated_items,
}
_Validator: Any = extend(Draft202012Validator, OWN)  # type: ignore[no-untyped-call]


def validator_of(schema: Any) -> Any:
    """Return the library's validator for a compiled schema, see `controller.json_schema.compiler`."""
    # The empty registry fetches nothing. No keyword asks it: references are compiled.
    return _Validator(schema, registry=Registry())
