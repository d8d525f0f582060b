"""A request: how its head becomes a WSGI environ, and the error of one that is refused."""

import io
import re
from typing import Any
from urllib.parse import unquote_to_bytes

import httptools


class Refused(Exception):
    """A request is answered with an HTTP error, and its connection is closed."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class UnreadBody(io.RawIOBase):
    """The input of a request with a body that exceeds the application's limit and was not read."""

    def readinto(self, _: Any) -> int:
        """Raise OSError: there is nothing to read."""
        raise OSError("the body is too large, and was not read")


class Request:
    """A request for an application.

    Attributes:
        environ: Its WSGI environ.
        version: 1.0 or 1.1.
        keep_alive: Whether the connection can stay open, and the client wants it.
        whole: Whether its body has been read.
        is_head: Whether its method is HEAD.
    """

    __slots__ = ("environ", "is_head", "keep_alive", "version", "whole")

    def __init__(self, environ: dict[str, Any], version: str, keep_alive: bool, whole: bool) -> None:
        self.environ = environ
        self.version = version
        self.keep_alive = keep_alive
        self.whole = whole
        self.is_head = environ["REQUEST_METHOD"] == "HEAD"


#: Headers that may occur once only: with two it would be unclear which one applies.
_SINGLE = frozenset({"CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_HOST", "HTTP_AUTHORIZATION"})
#: X_User and X-User would have the same key. The one with underscores is left out, because proxies do not check it.
_AMBIGUOUS = "-"
#: Most header names with a cached environ key.
_NAMES_MAX = 512
_NAMES: dict[bytes, str] = {}
#: Characters of an authority in RFC 3986. Programs interpret other characters differently.
_HOST = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")
_CONTROL = re.compile(rb"[\x00-\x20\x7f]")


def put_header(environ: dict[str, Any], name: bytes, value: bytes) -> None:
    """Add a header to the environ. Raises Refused."""
    key = _NAMES.get(name) or _key_of(name)
    if key == _AMBIGUOUS:
        return
    text = value.decode("latin-1")
    if key in environ:
        if key in _SINGLE:
            raise Refused(400, f"the header {name.decode('latin-1')} stands there twice")
        text = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{text}"
    environ[key] = text


def check_host(text: str) -> None:
    """Raise Refused unless the text is a host, with or without a port."""
    if not _HOST.fullmatch(text):
        raise Refused(400, "the header Host is malformed")


def put_target(environ: dict[str, Any], target: bytes) -> None:
    """Set the decoded path and the query, and the host if the target contains one. Raises Refused."""
    if b"#" in target:
        raise _malformed_target()
    environ["RAW_URI"] = target.decode("latin-1")
    if not target.startswith(b"/"):
        target = _origin_form(environ, target)
    path, _, query = target.partition(b"?")
    if b"%" in path:
        path = unquote_to_bytes(path)
        if b"\0" in path:
            raise _malformed_target()
    environ["PATH_INFO"] = path.decode("latin-1")
    environ["QUERY_STRING"] = query.decode("latin-1")


def _origin_form(environ: dict[str, Any], target: bytes) -> bytes:
    """Return path and query of an absolute target, the form for proxies. `*` means no path."""
    if target == b"*" and environ["REQUEST_METHOD"] == "OPTIONS":
        return b""
    if environ["REQUEST_METHOD"] == "CONNECT" or _CONTROL.search(target):
        raise _malformed_target()
    try:
        parts = httptools.parse_url(target)
    except httptools.HttpParserInvalidURLError:
        raise _malformed_target() from None
    if parts.schema not in {b"http", b"https"} or not parts.host or parts.userinfo:
        raise _malformed_target()
    # It takes precedence over the header.
    port = f":{parts.port}" if parts.port else ""
    environ["HTTP_HOST"] = parts.host.decode("latin-1") + port
    return (parts.path or b"/") + (b"?" + parts.query if parts.query else b"")


def _malformed_target() -> Refused:
    return Refused(400, "the target of the request is malformed")


def _key_of(name: bytes) -> str:
    """Return the environ key of a header, or _AMBIGUOUS."""
    text = name.decode("latin-1").upper()
    key = _AMBIGUOUS if "_" in text else text.replace("-", "_")
    if key not in {_AMBIGUOUS, "CONTENT_TYPE", "CONTENT_LENGTH"}:
        key = f"HTTP_{key}"
    if len(_NAMES) < _NAMES_MAX:
        _NAMES[name] = key
    return key
