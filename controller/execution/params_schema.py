"""Checks params against the session's JSON Schema (draft 2020-12)."""

import json
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from referencing import Registry

from controller.errors import InvalidParams

#: Compiled schemas kept in memory.
SCHEMAS_REMEMBERED = 256
#: Most errors in one response.
ERRORS_MAX = 20
#: Longest error message, in characters. A message may quote the value.
MESSAGE_MAX = 200


def check_params(schema: str, params: Mapping[str, Any]) -> None:
    """Check params against a schema.

    Raises:
        InvalidParams: the params break the schema. The details have a JSON pointer to each error.
    """
    errors = [_problem(error) for error in islice(_validator(schema).iter_errors(params), ERRORS_MAX)]
    if errors:
        raise InvalidParams("params break the function's schema", details={"errors": errors})


@lru_cache(maxsize=SCHEMAS_REMEMBERED)
def _validator(schema: str) -> Draft202012Validator:
    # The empty registry fetches nothing: a reference to another document is an error of the schema.
    return Draft202012Validator(json.loads(schema), registry=Registry())


def _problem(error: ValidationError) -> dict[str, str]:
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in error.absolute_path)
    message = error.message if len(error.message) <= MESSAGE_MAX else f"{error.message[:MESSAGE_MAX]}…"
    return {"pointer": "".join(f"/{step}" for step in steps), "message": message}
