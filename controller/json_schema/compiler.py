"""Compiles a schema: refuses one that is none or means unbounded work, and compiles patterns and references."""

from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any, NoReturn
from urllib.parse import unquote, urljoin

import re2
from jsonschema import Draft202012Validator
from jsonschema_specifications import REGISTRY

from controller.errors import InvalidRequest
from controller.json_schema.keywords import Pattern, Reference, validator_of
from controller.json_schema.values import Object, counted
from controller.json_schema.work import Work, charge

DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: Most levels of schemas in schemas.
DEPTH_MAX = 64
#: Most schemas that one schema applies to one value, with all that its references bring.
EXPANSION_MAX = 10_000
#: Most patterns of a schema, and most bytes of memory for one of them, compiled and in use.
PATTERNS_MAX = 100
PATTERN_MEMORY = 1 << 18
#: Longest error message and longest pointer, in characters.
MESSAGE_MAX = 200
POINTER_MAX = 1000
#: Steps to compile an instruction of a pattern, and a subschema.
_STEPS_AN_INSTRUCTION = 3
_STEPS_A_SCHEMA = 100

_LISTED_HERE, _LISTED_BELOW = {"allOf", "anyOf", "oneOf"}, {"prefixItems"}
_NAMED_HERE, _NAMED_BELOW = {"dependentSchemas"}, {"properties", "patternProperties", "$defs", "definitions"}
_HERE = {"not", "if", "then", "else"}
_BELOW = {
    *("items", "contains", "additionalProperties", "propertyNames", "contentSchema"),
    *("unevaluatedItems", "unevaluatedProperties"),
}
#: Keywords that apply their subschemas to the same value.
_SAME_VALUE = _LISTED_HERE | _NAMED_HERE | _HERE
Path = tuple[str | int, ...]


def compiled(document: Any) -> Any:
    """Return the validator of a schema.

    Args:
        document: the schema, as read from JSON.

    Raises:
        InvalidRequest: it is refused. The details have a JSON pointer to the reason.
        OutOfSteps: it takes too long.
    """
    schema = counted(document)
    for error in _METASCHEMA.iter_errors(schema):
        _refuse(error.message, tuple(error.absolute_path))
    return _Compiler(schema).compile()


def pointer(path: Iterable[Any]) -> str:
    """Return the JSON pointer of a path. A very long one is cut."""
    steps = (str(step)[:POINTER_MAX].replace("~", "~0").replace("/", "~1") for step in path)
    return shortened("".join(f"/{step}" for step in steps), POINTER_MAX)


def shortened(text: str, most: int = MESSAGE_MAX) -> str:
    """Return at most that many characters of a text, and an ellipsis if it is longer."""
    return text if len(text) <= most else f"{text[:most]}…"


def _refuse(message: str, path: Path) -> NoReturn:
    errors = [{"pointer": pointer(path), "message": shortened(message)}]
    raise InvalidRequest(f"the schema is refused: {shortened(message)}", details={"errors": errors})


class _Compiler:
    """Compiles one document, in place."""

    def __init__(self, document: Any) -> None:
        if isinstance(document, dict):
            if document.pop("$schema", DIALECT).removesuffix("#") != DIALECT:
                _refuse(f"$schema must be {DIALECT}", ("$schema",))
            # The library would take the names of the document for those of others.
            document.pop("$id", None)
        self._document = document
        self._schemas: dict[int, tuple[Any, Path]] = {}
        self._applied: dict[int, list[int]] = {}
        self._anchors: dict[str, Any] = {}
        self._patterns: dict[str, Pattern] = {}

    def compile(self) -> Any:
        """Return the validator."""
        self._add(self._document, (), 0)
        for schema, path in self._schemas.values():
            for keyword in ("$ref", "$dynamicRef"):
                if keyword in schema:
                    schema[keyword] = self._reference(schema[keyword], (*path, keyword))
                    self._applied[id(schema)].append(id(schema[keyword].target))
        self._refuse_expansion()
        return validator_of(self._document)

    def _add(self, schema: Any, path: Path, depth: int) -> None:
        charge(_STEPS_A_SCHEMA)
        if depth > DEPTH_MAX:
            _refuse(f"schemas are nested deeper than {DEPTH_MAX} levels", path)
        if not isinstance(schema, dict):
            return
        self._schemas[id(schema)] = schema, path
        self._applied[id(schema)] = applied = []
        for name in schema.keys() & {"$id", "$schema"}:
            _refuse(f"{name} may only stand at the top of the document", (*path, name))
        for name in schema.keys() & {"$anchor", "$dynamicAnchor"}:
            if self._anchors.setdefault(schema[name], schema) is not schema:
                _refuse(f"{name} must be unique in the document", (*path, name))
        self._compile_patterns(schema, path)
        for subschema, steps in _subschemas(schema):
            if steps[0] in _SAME_VALUE:
                applied.append(id(subschema))
            self._add(subschema, path + steps, depth + 1)

    def _compile_patterns(self, schema: Any, path: Path) -> None:
        if "pattern" in schema:
            schema["pattern"] = self._pattern(schema["pattern"], (*path, "pattern"))
        if "patternProperties" in schema:
            at = (*path, "patternProperties")
            named = schema["patternProperties"].items()
            schema["patternProperties"] = Object(
                {self._pattern(name, (*at, name)): each for name, each in named}
            )

    def _pattern(self, text: str, path: Path) -> Pattern:
        if text in self._patterns:
            return self._patterns[text]
        if len(self._patterns) == PATTERNS_MAX:
            _refuse(f"a schema may have {PATTERNS_MAX} patterns", path)
        options = re2.Options()
        options.max_mem, options.log_errors, options.never_capture = PATTERN_MEMORY, False, True
        charge(_STEPS_A_SCHEMA + len(text))
        pattern = Pattern(text)
        try:
            pattern.program = re2.compile(str(text), options)
        except (re2.error, UnicodeEncodeError) as error:
            reason = error.args[0] if isinstance(error, re2.error) else b"it has a lone surrogate"
            _refuse(f"no pattern of RE2: {reason.decode(errors='replace')}", path)
        charge(_STEPS_AN_INSTRUCTION * pattern.program.programsize)
        self._patterns[text] = pattern
        return pattern

    def _reference(self, text: str, path: Path) -> Reference:
        charge(_STEPS_A_SCHEMA + len(text))
        fragment = unquote(text[1:])
        reference = Reference(text)
        try:
            if not text.startswith("#"):
                raise LookupError
            if fragment and not fragment.startswith("/"):
                reference.target = self._anchors[fragment]
            else:
                reference.target = _at(self._document, fragment)
        except (LookupError, ValueError, TypeError):
            _refuse("a reference must mean a schema of the document, as #…", path)
        if not isinstance(reference.target, bool) and id(reference.target) not in self._schemas:
            _refuse("a reference must mean a schema, not a part of one", path)
        return reference

    def _refuse_expansion(self) -> None:
        """Refuse references that lead back to the same value, or that multiply."""
        try:
            order = list(TopologicalSorter(self._applied).static_order())
        except CycleError as error:
            path = min((self._schemas[node][1] for node in error.args[1]), key=len)
            _refuse("a reference leads back to its own schema without descending into the value", path)
        counts: dict[int, int] = {}
        for node in order:
            applied = self._applied.get(node, [])
            charge(1 + len(applied))
            counts[node] = 1 + sum(counts[each] for each in applied)
            if counts[node] > EXPANSION_MAX:
                message = f"its references multiply to over {EXPANSION_MAX} schemas for one value"
                _refuse(message, self._schemas[node][1])


def _subschemas(schema: Any) -> Iterator[tuple[Any, Path]]:
    for keyword, argument in schema.items():
        if keyword in _LISTED_HERE or keyword in _LISTED_BELOW:
            yield from ((each, (keyword, at)) for at, each in enumerate(argument))
        elif keyword in _NAMED_HERE or keyword in _NAMED_BELOW:
            yield from ((each, (keyword, name)) for name, each in argument.items())
        elif keyword in _HERE or keyword in _BELOW:
            yield argument, (keyword,)


def _at(document: Any, fragment: str) -> Any:
    """Return the part of the document at a JSON pointer. Raises LookupError, ValueError or TypeError."""
    for step in fragment.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        document = document[int(name)] if isinstance(document, list) else document[name]
    return document


def _metaschema() -> Any:
    """Return a validator for the metaschema: its vocabularies as one document, which compiles as any other."""
    merged: dict[str, Any] = {
        "$dynamicAnchor": "meta",
        "type": ["object", "boolean"],
        "properties": {},
        "$defs": {},
    }
    for part in Draft202012Validator.META_SCHEMA["allOf"]:
        vocabulary = REGISTRY.contents(urljoin(DIALECT, part["$ref"]))
        merged["properties"] |= vocabulary["properties"]
        merged["$defs"] |= vocabulary.get("$defs", {})
    # What `$defs` was called before. `$ref`s still lead there.
    merged["properties"]["definitions"] = merged["properties"]["$defs"]
    with Work(1_000_000):
        return _Compiler(counted(merged)).compile()


_METASCHEMA = _metaschema()
