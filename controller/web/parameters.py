"""Parameters of the contract that are not fields of a schema, in OpenAPI's form."""

from typing import Any

from controller.observability.correlation import REQUEST_ID
from controller.web.ids import ALIAS, DIGEST, LANGUAGE_TITLE, LANGUAGE_TITLE_MAX, SELECTOR
from controller.web.ids import KEY_ID as KEY_ID_FORM

Parameter = dict[str, Any]


def _matching(place: str, name: str, pattern: str, text: str, **more: Any) -> Parameter:
    """Return a parameter that must match `pattern`. A parameter of the path is required."""
    schema = {"type": "string", "pattern": f"^(?:{pattern})$", **more}
    return {"in": place, "name": name, "required": place == "path", "description": text, "schema": schema}


def _language_title(place: str, name: str) -> Parameter:
    pattern = LANGUAGE_TITLE.pattern
    return _matching(
        place, name, pattern, "The function.", maxLength=LANGUAGE_TITLE_MAX, examples=["python-price"]
    ) | {"required": True}


def _function_ref(place: str, name: str) -> Parameter:
    pattern = f"{LANGUAGE_TITLE.pattern}(?:@(?:{SELECTOR.pattern}))?"
    text = "The function; `@` and a version's number or an alias may follow. Without, `live` or the newest version."
    examples = ["python-price", "python-price@2", "python-price@beta"]
    return _matching(place, name, pattern, text, examples=examples) | {"required": True}


SESSION = _matching(
    "path",
    "request_id",
    REQUEST_ID.pattern,
    "The session.",
    examples=["5f0c2d7e-6d1b-5d0a-8c39-2f4f3d1e9a10"],
)
NAME = _language_title("path", "function_ref")
PARTS_OF = _language_title("path", "language_title")
ALIAS_NAME = _matching("path", "alias", ALIAS.pattern, "The alias.", examples=["live"])
IF_MATCH: Parameter = {
    "in": "header",
    "name": "If-Match",
    "description": "The number of the newest version, in double quotes. Another one is 412.",
    "schema": {"type": "string", "examples": ['"3"']},
}
REF = _function_ref("path", "function_ref")
REF_HEADER = _function_ref("header", "Language-Title")
KEY_ID = _matching(
    "path", "key_id", KEY_ID_FORM.pattern, "The API key.", examples=["8e3c3a5e-7d2f-4b5a-9c55-0d8f4f5f2c11"]
)
ENVIRONMENT = _matching("path", "digest", DIGEST.pattern, "The environment.", examples=["0" * 64])
FILE = _matching("path", "file", r"[A-Za-z0-9._-]+", "The name of the file.", examples=["docs.js"])
CACHE_CONTROL: Parameter = {
    "in": "header",
    "name": "X-Cache-Control",
    "description": "`no-cache` runs the script and refreshes the stored result; `max-age=N` stores it for N seconds.",
    "schema": {"type": "string", "examples": ["no-cache", "max-age=60"]},
}
IDEMPOTENCY_KEY = _matching(
    "header",
    "Idempotency-Key",
    f'"{REQUEST_ID.pattern}"|{REQUEST_ID.pattern}',
    "A repeated request within 24 hours gets the first one's answer. Quoted and bare, it is the same key.",
)
REQUEST_ID_HEADER: Parameter = {
    "in": "header",
    "name": "X-Request-ID",
    "description": "Echoed in the response. A value that is not 1-64 of `A-Za-z0-9._-` is replaced.",
    "schema": {"type": "string"},
}
