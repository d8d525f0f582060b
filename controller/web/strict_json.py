"""Reads strict JSON: that which two parsers may read differently is refused.

msgspec reads a body in C. It takes the last of equal keys and integers of any length, so both are looked for in the
text. `json` reads the few bodies that msgspec refuses or that look suspicious: it names the fault, or finds none.
"""

import gc
import json
import re
from array import array
from itertools import accumulate
from math import isfinite
from typing import Any, NoReturn

import gevent
import msgspec

from controller.errors import InvalidRequest

#: Deepest nesting of a body. A deeper one may exhaust the stack of a runtime's parser.
MAX_DEPTH = 100
#: Most lists and objects of a body: reading it holds up all other requests, 0.1 us for each.
MAX_CONTAINERS = 250_000
#: Most digits of a whole number. A longer one may exceed a 64-bit float, and Node.js would read it as infinity.
MAX_DIGITS = 300
#: Bytes that are looked through without letting others run, and bytes of one step, which stay in the CPU's cache.
PIECE, SMALL = 256 * 1024, 32 * 1024
NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
#: Brackets as signed bytes: up and down a level.
STEPS = bytes.maketrans(b"[{]}", b"\1\1\xff\xff")
#: A colon that is escaped in a string.
ESCAPED_COLON = re.compile(rb"\\u003[aA]")
#: With every digit as 0: a run of more than MAX_DIGITS digits, and what it has in every tenth byte.
ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
LONG = b"0" * (MAX_DIGITS + 1)
DIGITS = LONG[: MAX_DIGITS // 10]
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def json_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body.

    Raises:
        InvalidRequest: the body is not UTF-8, not JSON, not an object, nested too deeply, or has too many lists and
            objects. Or it has a duplicate key, or a number that is out of range.
    """
    _check_nesting(body)
    try:
        document = _read(body)
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"the body is not UTF-8: byte {error.start} is wrong") from error
    except ValueError as error:
        raise InvalidRequest(f"the body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidRequest("the body must be a JSON object")
    return document


def _read(body: bytes) -> Any:
    if len(body) > MAX_DIGITS and DIGITS in body[::10].translate(ZEROS) and LONG in body.translate(ZEROS):
        return DECODER.decode(body.decode())
    try:
        document = _decode(body) if len(body) <= PIECE else _uncollected(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return DECODER.decode(body.decode())
    if b"\\u003" in body and ESCAPED_COLON.search(body):
        return DECODER.decode(body.decode())
    if len(body) > PIECE:
        gevent.sleep(0)
    # Each key has a colon after it, so a text with as many colons as its document has lost no key.
    if _count(b":", body) != _count(b":", _encode(document)):
        raise ValueError("an object has the same key twice")
    return document


def _uncollected(body: bytes) -> Any:
    """Decode without the garbage collector, which would look through a new document again and again: 5 times as long.

    Raises:
        msgspec.DecodeError: the body is not JSON.
    """
    gc.disable()
    try:
        return _decode(body)
    finally:
        gc.enable()


def _count(byte: bytes, text: bytes) -> int:
    """Count a byte, in a fraction of the time that `bytes.count` takes. Small pieces need no fresh memory."""
    if byte not in text:
        return 0
    if len(text) <= SMALL:
        return len(text) - len(text.replace(byte, b""))
    pieces = (text[start : start + SMALL] for start in range(0, len(text), SMALL))
    return len(text) - sum(len(piece.replace(byte, b"")) for piece in pieces)


def _has_many(bracket: bytes, body: bytes) -> bool:
    """Return whether a body has more than half of MAX_DEPTH of a bracket, those in strings included."""
    place = -1
    for _ in range(MAX_DEPTH // 2 + 1):
        place = body.find(bracket, place + 1)
        if place < 0:
            return False
    return True


def _check_nesting(body: bytes) -> None:
    """Refuse what would exhaust a parser's stack, or hold up other requests.

    Raises:
        InvalidRequest: the body has too many lists and objects, or they are nested too deeply.
    """
    if not (_has_many(b"{", body) or _has_many(b"[", body)):
        return
    brackets = _brackets(body)
    if max(accumulate(array("b", brackets)), default=0) > MAX_DEPTH:
        raise InvalidRequest(f"the body is nested deeper than {MAX_DEPTH} levels")


def _brackets(body: bytes) -> bytes:
    """Return the brackets outside of strings, as STEPS. Other greenlets run in between.

    Raises:
        InvalidRequest: there are too many.
    """
    if b"\\" in body:
        body = body.replace(rb"\\", b"").replace(rb"\"", b"")
    found: list[bytes] = []
    in_string = count = 0
    for start in range(0, len(body), SMALL):
        parts = body[start : start + SMALL].split(b'"')
        found.append(b"".join(parts[in_string::2]).translate(STEPS, NO_BRACKETS))
        count += len(found[-1])
        if count > 2 * MAX_CONTAINERS:
            raise InvalidRequest(f"the body has more than {MAX_CONTAINERS} lists and objects")
        in_string ^= (len(parts) - 1) & 1
        if start % PIECE == PIECE - SMALL:
            gevent.sleep(0)
    return b"".join(found)


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("an object has the same key twice")
    return document


def _whole(text: str) -> int:
    return int(text) if len(text) <= MAX_DIGITS else _refuse_number()


def _decimal(text: str) -> float:
    number = float(text)
    return number if isfinite(number) else _refuse_number()


def _refuse_number() -> NoReturn:
    raise ValueError("a number is out of range")


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


DECODER = json.JSONDecoder(
    object_pairs_hook=_unambiguous, parse_int=_whole, parse_float=_decimal, parse_constant=_refuse_constant
)
