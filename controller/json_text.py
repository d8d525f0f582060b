"""JSON as it is written on the way of a request: msgspec's, which embeds `msgspec.Raw` as it is."""

import json
from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder()


def dumps(value: Any) -> bytes:
    """The JSON text of a value; texts in it may have lone surrogates, which UTF-8 has no bytes for."""
    try:
        return _ENCODER.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), default=_parsed).encode()


def _parsed(value: Any) -> Any:
    if isinstance(value, msgspec.Raw):
        return json.loads(bytes(value))
    raise TypeError(f"{type(value)} is not JSON")
