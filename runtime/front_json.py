"""JSON as the front reads and writes it: takes and refuses what `runtime.frames` does, in a seventh of its time.

Processes that run scripts have the standard library only. See docs/adr/0017.
"""

from typing import Any

import msgspec

from runtime import frames

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def decode(body: bytes | bytearray) -> dict[str, Any]:
    """See `frames.decode`."""
    try:
        message = _decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        # Half a surrogate pair is JSON, and no string of UTF-8; all else is refused in the other's words.
        return frames.decode(body)
    return frames.checked(message, body)


def encode(document: dict[str, Any]) -> bytes:
    """JSON in UTF-8 of what `decode` has read, or what is as finite. Raises TypeError for what JSON does not know."""
    try:
        return _encode(document)
    except UnicodeEncodeError:
        return frames.encode(document)
