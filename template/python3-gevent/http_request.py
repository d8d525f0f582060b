"""What arrives on a connection: parsed by llhttp, checked where llhttp is lenient, turned into WSGI environments."""

import io
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

import httptools

#: A second one of these would leave open which of them counts.
_SINGLE = frozenset({"CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_HOST", "HTTP_AUTHORIZATION"})
_VERSIONS = frozenset({"1.0", "1.1"})
#: How many names of headers are remembered in the form WSGI wants.
_NAMES_MAX = 512


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may have: bytes of its head, header fields, bytes of its body."""

    head_bytes: int = 32 * 1024
    fields: int = 100
    body_bytes: int = 64 * 1024 * 1024


class Refused(Exception):
    """A request that is answered with an HTTP error; its connection ends."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(slots=True)
class Request:
    """One whole request; `keep_alive` says whether its client wants the connection kept."""

    environ: dict[str, Any]
    keep_alive: bool
    version: str


class RequestReader:
    """Takes bytes in, gives requests out. It is what httptools calls the protocol.

    Args:
        base: what all environments of the connection have in common.
        limits: beyond them a request is refused.
        send: takes the bytes of an interim answer.
    """

    def __init__(self, base: dict[str, Any], limits: Limits, send: Callable[[bytes], None]) -> None:
        self.requests: deque[Request] = deque()
        self._base = base
        self._limits = limits
        self._send = send
        self._environ: dict[str, Any] = {}
        self._parser = httptools.HttpRequestParser(self)
        self._used_up = False
        self._unparsed = 0
        self._forget()

    @property
    def began(self) -> bool:
        """Whether the beginning of a request has arrived, and not its end."""
        return self._began

    def feed(self, data: bytes) -> None:
        """Take what was received. Whole requests are in `requests` afterwards, those before a fault too.

        Raises Refused: the rest cannot be understood or is not wanted.
        """
        if self._unparsed:
            self._take_unparsed(data)
            return
        if self._used_up:
            # httptools would hand the last trailer of a chunked body to the request that follows.
            self._parser = httptools.HttpRequestParser(self)
            self._used_up = False
        if not self._head_done:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # No other protocol is spoken here: the request is answered like any, and is the last one.
            self._take_unparsed(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            if isinstance(error.__context__, Refused):
                raise error.__context__ from None
            raise
        except httptools.HttpParserError as error:
            raise Refused(400, f"this is no HTTP request: {error}") from None
        if self._began and not self._head_done and self._head_bytes > self._limits.head_bytes:
            raise Refused(431, "the head of the request is too large")

    def on_message_begin(self) -> None:
        if self._used_up:
            raise Refused(400, "nothing may follow a chunked body before it was answered")
        self._began = True
        self._environ = self._base.copy()

    def on_url(self, part: bytes) -> None:
        self._url += part

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head_done:
            return  # a trailer, which must not pass for a header
        self._fields += 1
        self._fields_bytes += len(name) + len(value) + 4
        limits = self._limits
        if self._fields > limits.fields or self._fields_bytes + len(self._url) > limits.head_bytes:
            raise Refused(431, "the head of the request is too large")
        key = _NAMES.get(name) or _key(name)
        if key == _AMBIGUOUS:
            return
        environ = self._environ
        text = value.decode("latin-1")
        if key in environ:
            if key in _SINGLE:
                raise Refused(400, f"the header {name.decode('latin-1')} stands there twice")
            text = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{text}"
        environ[key] = text

    def on_headers_complete(self) -> None:
        self._head_done = True
        environ = self._environ
        version = self._parser.get_http_version()
        if version not in _VERSIONS:
            raise Refused(505, f"HTTP/{version} is not spoken here")
        if "HTTP_HOST" not in environ and version == "1.1":
            raise Refused(400, "the header Host is missing")
        coding = environ.pop("HTTP_TRANSFER_ENCODING", None)
        self._chunked = coding is not None
        if coding is not None and coding.strip().lower() != "chunked":
            raise Refused(501, f"the transfer coding {coding} is not understood here")
        if int(environ.get("CONTENT_LENGTH") or 0) > self._limits.body_bytes:
            raise Refused(413, "the body of the request is too large")
        if expected := environ.get("HTTP_EXPECT"):
            self._continue(expected, version)

    def on_body(self, part: bytes) -> None:
        self._body_bytes += len(part)
        if self._body_bytes > self._limits.body_bytes:
            raise Refused(413, "the body of the request is too large")
        self._body.append(part)

    def on_message_complete(self) -> None:
        if self._parser.should_upgrade():
            # The parser leaves the body to the other protocol.
            if self._chunked:
                raise Refused(501, "an upgrade with a chunked body is not understood here")
            self._unparsed = int(self._environ.get("CONTENT_LENGTH") or 0)
        if not self._unparsed:
            self._complete()

    def _take_unparsed(self, data: bytes) -> None:
        part = data[: self._unparsed]
        if part:
            self._unparsed -= len(part)
            self._body.append(part)
            if not self._unparsed:
                self._complete()

    def _complete(self) -> None:
        environ, parser = self._environ, self._parser
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        environ["REQUEST_METHOD"] = parser.get_method().decode("latin-1")
        environ["RAW_URI"] = self._url.decode("latin-1")
        environ["PATH_INFO"], environ["QUERY_STRING"] = _target(self._url)
        environ["SERVER_PROTOCOL"] = f"HTTP/{parser.get_http_version()}"
        environ["wsgi.input"] = io.BytesIO(body)
        if self._chunked:
            environ["CONTENT_LENGTH"] = str(len(body))
        keep_alive = parser.should_keep_alive() and not parser.should_upgrade()
        self.requests.append(Request(environ, keep_alive, parser.get_http_version()))
        self._used_up = self._chunked
        self._forget()

    def _continue(self, expected: str, version: str) -> None:
        if expected.lower() != "100-continue":
            raise Refused(417, "this expectation cannot be met")
        if version == "1.1":
            self._send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _forget(self) -> None:
        self._began = self._head_done = self._chunked = False
        self._url = b""
        self._body: list[bytes] = []
        self._head_bytes = self._fields = self._fields_bytes = self._body_bytes = 0


#: X_User and X-User would both be HTTP_X_USER: the one that a proxy does not know is left out.
_AMBIGUOUS = "-"
_NAMES: dict[bytes, str] = {}


def _key(name: bytes) -> str:
    """The name of a header in the environment."""
    text = name.decode("latin-1").upper()
    key = _AMBIGUOUS if "_" in text else text.replace("-", "_")
    if key not in {_AMBIGUOUS, "CONTENT_TYPE", "CONTENT_LENGTH"}:
        key = f"HTTP_{key}"
    if len(_NAMES) < _NAMES_MAX:
        _NAMES[name] = key
    return key


def _target(url: bytes) -> tuple[str, str]:
    """Path, decoded, and query of a request's target. Raises Refused."""
    if not url.startswith(b"/"):
        url = _origin_form(url)
    path, _, query = url.partition(b"?")
    if b"#" in url or b"%00" in path:
        raise Refused(400, "the target of the request is malformed")
    if b"%" in path:
        path = unquote_to_bytes(path)
    return path.decode("latin-1"), query.decode("latin-1")


def _origin_form(url: bytes) -> bytes:
    """The path and query of an absolute target, as proxies get it; `*` stands for no path at all."""
    if url == b"*":
        return b""
    try:
        parts = httptools.parse_url(url)
    except httptools.HttpParserInvalidURLError:
        raise Refused(400, "the target of the request is malformed") from None
    if not parts.schema:
        raise Refused(400, "the target of the request is malformed")
    return (parts.path or b"/") + (b"?" + parts.query if parts.query else b"")
