"""Reads the body of a request: limited in size, and strict JSON.

Strict: JSON that two parsers may read differently is refused.
"""

import json
import re
from functools import lru_cache
from itertools import accumulate
from math import isfinite
from typing import Any, NoReturn

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.wsgi import get_input_stream

from controller.errors import InvalidRequest

JSON = "application/json"
#: Names of UTF-8 in a content type, in lower case. The second one is not registered, but common.
UTF_8 = ("utf-8", "utf8")
#: Most digits of a length. A longer one is larger than any limit.
LENGTH_DIGITS = 18
#: Deepest nesting of a body. A deeper one may exhaust the stack of a runtime's parser.
MAX_DEPTH = 100
#: Most digits of a whole number. A longer one may exceed a 64-bit float, and Node.js would read it as infinity.
MAX_DIGITS = 300
STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
STEPS = bytes.maketrans(b"[{]}", b"\2\2\0\0")


def json_body(environ: dict[str, Any], most: int) -> bytes:
    """Return the whole body of a WSGI request.

    Args:
        environ: the WSGI request.
        most: the longest body, in bytes.

    Raises:
        InvalidRequest: the body is too large (413), or its content type is not JSON in UTF-8 (415).
    """
    try:
        body = _read(environ, most)
    except RequestEntityTooLarge as error:
        raise InvalidRequest("the body is too large", status=413) from error
    if (fault := _fault_of_type(environ.get("CONTENT_TYPE", ""))) is not None:
        raise InvalidRequest(fault, status=415)
    if environ.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise InvalidRequest("the body must not be compressed", status=415)
    return body


def _read(environ: dict[str, Any], most: int) -> bytes:
    length = environ.get("CONTENT_LENGTH", "")
    if length.isdecimal():
        if len(length) > LENGTH_DIGITS or int(length) > most:
            raise RequestEntityTooLarge
        return bytes(environ["wsgi.input"].read(int(length)))
    # Chunked: the server knows the end. One byte beyond the limit shows that the body is too large.
    body = get_input_stream(environ, max_content_length=most + 1).read()
    if len(body) > most:
        raise RequestEntityTooLarge
    return body


@lru_cache(64)
def _fault_of_type(content_type: str) -> str | None:
    media_type, options = parse_options_header(content_type)
    if media_type.lower() != JSON:
        return f"the body must be {JSON}"
    return None if options.get("charset", "utf-8").lower() in UTF_8 else "the body must be UTF-8"


def json_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body.

    Raises:
        InvalidRequest: the body is not UTF-8, not JSON, not an object, or nested too deeply. Or it has a duplicate
            key, or a number that is out of range.
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
    """Return whether brackets are nested deeper, before a parser runs out of stack."""
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
