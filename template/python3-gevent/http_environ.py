"""Turns the head of a request into a WSGI environ: its headers, its target, its host."""

import re
from typing import Any
from urllib.parse import unquote_to_bytes

import httptools
from http_message import Refused

#: Headers that may occur once only: with two it would be unclear which one applies.
_SINGLE = frozenset({"CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_HOST", "HTTP_AUTHORIZATION"})
#: X_User and X-User would have the same key. The one with underscores is left out, because proxies do not check it.
_AMBIGUOUS = "-"
#: Most header names whose environ key is cached.
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
