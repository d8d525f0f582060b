"""Checks schemas when they are put, and values at each call."""

import json
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

from controller.errors import InvalidParams, InvalidRequest
from controller.json_codec import dumps
from controller.json_schema.compiler import compiled, pointer, shortened
from controller.json_schema.values import counted
from controller.json_schema.work import OutOfSteps, Work

#: Longest JSON text of a schema, in characters.
SCHEMA_MAX_LENGTH = 256 << 10
#: Most steps to compile a schema, and to check a value.
COMPILE_STEPS = 3_000_000
CHECK_STEPS = 5_000_000
#: Compiled schemas kept in memory, and the length in characters from which they are few.
SCHEMAS_REMEMBERED = 256
LARGE_REMEMBERED = 16
LARGE = 8 << 10
#: Most errors in one response.
ERRORS_MAX = 20


def check_schema(document: Any) -> None:
    """Check that a document is a JSON Schema 2020-12 that can be checked with bounded work.

    Args:
        document: the schema, as read from JSON.

    Raises:
        InvalidRequest: it is not, or takes too long to compile. The details have a JSON pointer to the reason.
    """
    compiled_schema(dumps(document).decode())


def check_params(schema: str, params: Mapping[str, Any]) -> None:
    """Check params against a function's schema.

    Raises:
        InvalidParams: the params break the schema. The details have a JSON pointer to each error. Or the check
            reached its bound.
        InvalidRequest: the schema is refused.
    """
    errors = errors_of(schema, params)
    if errors:
        raise InvalidParams("params break the function's schema", details={"errors": errors})


def errors_of(schema: str, value: Any) -> list[dict[str, str]]:
    """Check a value against a schema.

    Args:
        schema: the JSON text of a schema.
        value: what to check, as read from JSON.

    Returns:
        The errors, each with `pointer` and `message`: none if the value holds, `ERRORS_MAX` at most.

    Raises:
        InvalidParams: the check reached its bound.
        InvalidRequest: the schema is refused.
    """
    validator = compiled_schema(schema)
    try:
        with Work(CHECK_STEPS):
            return [
                {"pointer": pointer(error.absolute_path), "message": shortened(error.message)}
                for error in islice(validator.iter_errors(counted(value)), ERRORS_MAX)
            ]
    except (OutOfSteps, RecursionError) as error:
        raise InvalidParams("the check against the function's schema reached its bound") from error


def compiled_schema(schema: str) -> Any:
    """Return the validator of a schema's JSON text, from memory if it is there. Raises InvalidRequest."""
    if len(schema) > SCHEMA_MAX_LENGTH:
        raise InvalidRequest(f"the schema is longer than {SCHEMA_MAX_LENGTH} characters")
    return _large(schema) if len(schema) > LARGE else _small(schema)


def _compiled(schema: str) -> Any:
    try:
        with Work(COMPILE_STEPS):
            return compiled(json.loads(schema))
    except (OutOfSteps, RecursionError) as error:
        raise InvalidRequest("the schema is refused: it is too deep, or takes too long to compile") from error


_small = lru_cache(SCHEMAS_REMEMBERED)(_compiled)
_large = lru_cache(LARGE_REMEMBERED)(_compiled)
