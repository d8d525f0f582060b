"""Reads the bytes of a request's body, limited in size. `controller.web.strict_json` reads its JSON."""

from functools import lru_cache
from typing import Any

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.wsgi import get_input_stream

from controller.errors import InvalidRequest

JSON = "application/json"
#: Names of UTF-8 in a content type, in lower case. The second one is not registered, but common.
UTF_8 = ("utf-8", "utf8")
#: Most digits of a length. A longer one is larger than any limit.
LENGTH_DIGITS = 18


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
