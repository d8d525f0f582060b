"""Bodies as JSON, read strictly: what two readers could take for two different things is refused."""

import json
import re
from itertools import accumulate
from math import isfinite
from typing import Any, NoReturn

from controller.errors import InvalidRequest

MAX_DEPTH = 100
"""Levels; beyond it somebody further down the way may run out of stack."""
MAX_DIGITS = 300
"""Digits of a whole number that a 64-bit float certainly has room for: above it Node.js has only infinity."""
STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
STEPS = bytes.maketrans(b"[{]}", b"\2\2\0\0")


def json_object(body: bytes) -> dict[str, Any]:
    """A body's JSON object.

    Raises:
        InvalidRequest: it is not UTF-8, not JSON, no object or nested too deeply, has a key twice in one object, or
            a number that is out of range.
    """
    if _deeper_than(MAX_DEPTH, body):
        raise InvalidRequest(f"the body is nested deeper than {MAX_DEPTH} levels")
    try:
        document = DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"the body is not UTF-8: byte {error.start} is wrong") from error
    except ValueError as error:
        raise InvalidRequest(f"the body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidRequest("the body must be a JSON object")
    return document


def _deeper_than(levels: int, body: bytes) -> bool:
    """Whether brackets are nested deeper, told before a parser goes down with them."""
    if body.count(b"[") + body.count(b"{") <= levels:
        return False
    brackets = STRING.sub(b"", body).translate(STEPS, NO_BRACKETS)
    return max(accumulate(step - 1 for step in brackets), default=0) > levels


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
