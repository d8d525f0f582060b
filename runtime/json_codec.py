"""The front's JSON codec: accepts and refuses the same as `runtime.frames`, in a seventh of the time.

It needs msgspec, which the processes that run scripts do not have. See docs/adr/0017.
"""

import json
from math import isinf
from typing import Any

import msgspec

from runtime import frames

#: An object, or its JSON text.
Object = dict[str, Any] | msgspec.Raw
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class OutOfRange(frames.FrameError):
    """The text is JSON, but contains a number that a float reads as infinity."""


def _finite(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise OutOfRange("beyond the range of numbers")
    return number


def _exact(digits: str) -> int | msgspec.Raw:
    """Return an integer, or its digits if there are too many: they would take quadratic time to read and to write."""
    return int(digits) if len(digits) <= _MAX_DIGITS else msgspec.Raw(digits.encode())


#: Python's default.
_MAX_DIGITS = 4300
_DECODER = json.JSONDecoder(parse_constant=frames.refuse_constant, parse_float=_finite, parse_int=_exact)


def decode(body: bytes | bytearray) -> dict[str, Any]:
    """Return the object in a frame's body. Raises OutOfRange, and as `frames.decode`."""
    try:
        message = _decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        # It may be half a surrogate pair, which JSON allows and UTF-8 does not. Anything else is refused there too.
        message = frames.decode(body, _DECODER)
        _check_writable(message)
        return message
    return frames.checked(message, body)


class _Run(msgspec.Struct):
    """The body of a run, with its params unread."""

    params: msgspec.Raw
    request_id: Any = msgspec.UNSET
    tenant: Any = msgspec.UNSET
    script_hash: Any = msgspec.UNSET
    context: Any = msgspec.UNSET
    timeout_ms: Any = msgspec.UNSET
    isolation: Any = msgspec.UNSET
    compile_options: Any = msgspec.UNSET
    environment: Any = msgspec.UNSET
    script_content: Any = msgspec.UNSET
    artifact: Any = msgspec.UNSET


_decode_run = msgspec.json.Decoder(_Run).decode


def decode_run(body: bytes) -> dict[str, Any]:
    """Return the known members of a run's body. Params that are an object stay as they came, in a `Raw`.

    The controller has checked their depth and their numbers. Raises as `decode`.
    """
    try:
        run = _decode_run(body)
        if not body.isascii():
            body.decode()  # `Raw` is not checked for UTF-8
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return decode(body)
    if bytes(memoryview(run.params)[:1]) != b"{":
        return decode(body)
    return {name: value for name, value in msgspec.structs.asdict(run).items() if value is not msgspec.UNSET}


def _check_writable(message: dict[str, Any]) -> None:
    """Raise OutOfRange for half a surrogate pair beside an integer kept as digits: no encoder writes both."""
    try:
        encode(message)
    except TypeError:
        raise OutOfRange("a very long integer beside half a surrogate pair") from None


def encode(document: dict[str, Any] | msgspec.Struct) -> bytes:
    """Return a document without NaN and Infinity as JSON in UTF-8.

    Raises:
        TypeError: It contains a value of a type that JSON does not have.
    """
    try:
        return _encode(document)
    except UnicodeEncodeError:
        fields = msgspec.structs.asdict(document) if isinstance(document, msgspec.Struct) else document
        return frames.encode(fields)
