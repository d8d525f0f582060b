"""How a request's head is told to a WSGI application: its headers, its target, its host."""

import re
from typing import Any
from urllib.parse import unquote_to_bytes

import httptools
from http_message import Refused

#: A second one of these would leave open which of them counts.
_SINGLE = frozenset({"CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_HOST", "HTTP_AUTHORIZATION"})
#: Two headers would have the same key, X_User and X-User: the one that proxies do not know is left out.
_AMBIGUOUS = "-"
#: How many names are remembered in the form that WSGI wants.
_NAMES_MAX = 512
_NAMES: dict[bytes, str] = {}
#: RFC 3986's characters of an authority. What else stands there would be understood by each reader in its own way.
_HOST = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")
_CONTROL = re.compile(rb"[\x00-\x20\x7f]")


def put_header(environ: dict[str, Any], name: bytes, value: bytes) -> None:
    """Sets what the environment has of a header, or adds to it. Raises Refused."""
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
    """Raises Refused: no host's name, with or without a port."""
    if not _HOST.fullmatch(text):
        raise Refused(400, "the header Host is malformed")


def put_target(environ: dict[str, Any], target: bytes) -> None:
    """Sets path, decoded, and query; the host too where the target names one. Raises Refused."""
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
    """The path and query of an absolute target, as proxies get it; `*` stands for no path at all."""
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
    # It counts more than the header does.
    port = f":{parts.port}" if parts.port else ""
    environ["HTTP_HOST"] = parts.host.decode("latin-1") + port
    return (parts.path or b"/") + (b"?" + parts.query if parts.query else b"")


def _malformed_target() -> Refused:
    return Refused(400, "the target of the request is malformed")


def _key_of(name: bytes) -> str:
    """The key of a header, or _AMBIGUOUS."""
    text = name.decode("latin-1").upper()
    key = _AMBIGUOUS if "_" in text else text.replace("-", "_")
    if key not in {_AMBIGUOUS, "CONTENT_TYPE", "CONTENT_LENGTH"}:
        key = f"HTTP_{key}"
    if len(_NAMES) < _NAMES_MAX:
        _NAMES[name] = key
    return key
