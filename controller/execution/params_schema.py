"""Params against the JSON Schema (draft 2020-12) that a session began with."""

import json
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from referencing import Registry

from controller.errors import InvalidParams

SCHEMAS_REMEMBERED = 256
#: Errors that are told of at once.
ERRORS_MAX = 20
#: Characters of an error's message, which may quote the value.
MESSAGE_MAX = 200


def check_params(schema: str, params: Mapping[str, Any]) -> None:
    """Raises InvalidParams when the params break the schema, with a JSON pointer to each place that does."""
    errors = [_problem(error) for error in islice(_validator(schema).iter_errors(params), ERRORS_MAX)]
    if errors:
        raise InvalidParams("params break the function's schema", details={"errors": errors})


@lru_cache(maxsize=SCHEMAS_REMEMBERED)
def _validator(schema: str) -> Draft202012Validator:
    # The empty registry fetches nothing: a reference to elsewhere is a mistake of the schema.
    return Draft202012Validator(json.loads(schema), registry=Registry())


def _problem(error: ValidationError) -> dict[str, str]:
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in error.absolute_path)
    message = error.message if len(error.message) <= MESSAGE_MAX else f"{error.message[:MESSAGE_MAX]}…"
    return {"pointer": "".join(f"/{step}" for step in steps), "message": message}
