"""Loads JSON documents by marshmallow's schemas, and says by JSON pointers what is wrong."""

from typing import Any, cast

from marshmallow import Schema, ValidationError

from controller.errors import InvalidRequest


def load(schema: Schema, document: dict[str, Any]) -> dict[str, Any]:
    """Return the loaded document. Raises InvalidRequest."""
    try:
        return cast(dict[str, Any], schema.load(document))
    except ValidationError as error:
        errors = list(_flattened("", cast(Any, error).normalized_messages()))
        message = "; ".join(f"{problem['pointer'] or '/'}: {problem['message']}" for problem in errors)
        raise InvalidRequest(message, details={"errors": errors}) from error


def field_error(name: str, message: str) -> InvalidRequest:
    """Return the error for a field, which is named by its place in the document, without the first slash."""
    return InvalidRequest(
        f"/{name}: {message}", details={"errors": [{"pointer": f"/{name}", "message": message}]}
    )


def _flattened(pointer: str, messages: Any) -> list[dict[str, str]]:
    """Turn the tree of messages into a list of JSON pointers with a message each."""
    if isinstance(messages, dict):
        return [
            problem
            for key, below in messages.items()
            for problem in _flattened(f"{pointer}/{_step(str(key))}", below)
        ]
    return [{"pointer": pointer, "message": str(message)} for message in messages]


def _step(key: str) -> str:
    """Return a key as a part of a JSON pointer. Half of a surrogate pair, which is no text, becomes `?`."""
    return key.encode(errors="replace").decode().replace("~", "~0").replace("/", "~1")
