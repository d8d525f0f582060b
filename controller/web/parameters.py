"""Parameters of the contract that are no fields of a schema, as OpenAPI writes them."""

from typing import Any

from controller.observability.correlation import REQUEST_ID
from controller.web.parsing import LANGUAGE_TITLE, LANGUAGE_TITLE_MAX

Parameter = dict[str, Any]


def _matching(place: str, name: str, pattern: str, text: str, **more: int) -> Parameter:
    """A parameter that has to match; one of the path is required."""
    schema = {"type": "string", "pattern": f"^(?:{pattern})$", **more}
    return {"in": place, "name": name, "required": place == "path", "description": text, "schema": schema}


def _language_title(place: str, name: str) -> Parameter:
    pattern = LANGUAGE_TITLE.pattern
    return _matching(place, name, pattern, "The function.", maxLength=LANGUAGE_TITLE_MAX) | {"required": True}


SESSION = _matching("path", "request_id", REQUEST_ID.pattern, "The session.")
NAME = _language_title("path", "language_title")
NAME_HEADER = _language_title("header", "Language-Title")
CACHE_CONTROL: Parameter = {
    "in": "header",
    "name": "X-Cache-Control",
    "description": "`no-cache` runs anew and refreshes the stored result; `max-age=N` stores for N seconds.",
    "schema": {"type": "string", "examples": ["no-cache", "max-age=60"]},
}
IDEMPOTENCY_KEY = _matching(
    "header",
    "Idempotency-Key",
    REQUEST_ID.pattern,
    "A repeat within 24 hours answers what the first one was answered.",
)
REQUEST_ID_HEADER: Parameter = {
    "in": "header",
    "name": "X-Request-ID",
    "description": "Echoed with the answer; one that is not 1-64 of `A-Za-z0-9._-` is replaced.",
    "schema": {"type": "string"},
}
