"""JSON as the front reads and writes it: takes and refuses what `runtime.frames` does, in a seventh of its time.

Processes that run scripts have the standard library only. See docs/adr/0017.
"""

import json
from math import isinf
from typing import Any

import msgspec

from runtime import frames

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class OutOfRange(frames.FrameError):
    """It is JSON, but holds a number that would read as infinity."""


def _finite(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise OutOfRange("beyond the range of numbers")
    return number


_DECODER = json.JSONDecoder(parse_constant=frames.refuse_constant, parse_float=_finite)


def decode(body: bytes | bytearray) -> dict[str, Any]:
    """See `frames.decode`. Raises OutOfRange, too."""
    try:
        message = _decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        # Half a surrogate pair is JSON, and no string of UTF-8; all else is refused in the other's words.
        return frames.decode(body, _DECODER)
    return frames.checked(message, body)


def encode(document: dict[str, Any]) -> bytes:
    """JSON in UTF-8 of what `decode` has read, or what is as finite. Raises TypeError for what JSON does not know."""
    try:
        return _encode(document)
    except UnicodeEncodeError:
        return frames.encode(document)
