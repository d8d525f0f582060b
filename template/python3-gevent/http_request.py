"""Parses requests with llhttp, checks what llhttp does not, and creates WSGI environs."""

import io
from collections import deque
from types import SimpleNamespace
from typing import Any

import httptools
from http_limits import Limits
from http_message import Refused, Request, UnreadBody, check_host, put_header, put_target

_VERSIONS = {"1.1": "HTTP/1.1", "1.0": "HTTP/1.0"}
#: Most bytes of one read. Few for a head, to limit pipelined requests behind it; many for the rest of a body.
_HEAD_CHUNK = 8 << 10
_BODY_CHUNK = 256 << 10
#: Most bytes of framing per byte of a chunked body. A chunk of one byte has five.
_OVERHEAD = 8


class _Last(Exception):
    """The request just added to `requests` is the last one: nothing after it is parsed."""


class RequestReader:
    """Turns received bytes into requests. It is the protocol object of httptools.

    Args:
        base: The part of the environ that all requests of the connection share.
        limits: The sizes that a request may have.

    Attributes:
        requests: Complete requests.
        began: Whether a part of a request has been received.
        head_done: Whether its head is complete.
        body_bytes: Received bytes of its body.
        expects: Whether the client waits for `100 Continue`.
    """

    body_bytes: int
    _length: int
    _framing: int
    _framing_only: int

    def __init__(self, base: dict[str, Any], limits: Limits) -> None:
        self.requests: deque[Request] = deque()
        self._base = base
        self._limits = limits
        self._environ: dict[str, Any] = base
        self._host = ""
        self._parser: Any = httptools.HttpRequestParser(self)
        self._version = ""
        self._ended = False
        self._forget()

    @property
    def read_size(self) -> int:
        """Most bytes to read next. It limits how many pipelined requests can be waiting."""
        if not self.head_done:
            return _HEAD_CHUNK
        if self._chunked:
            return _BODY_CHUNK
        return min(_HEAD_CHUNK + self._length - self.body_bytes, _BODY_CHUNK)

    def feed(self, data: bytes) -> None:
        """Parse received bytes and append complete requests to `requests`, also those before an error.

        Raises:
            Refused: The rest is invalid, or exceeds a limit.
        """
        if self._ended:
            return
        if not self.head_done:
            self._head_bytes += len(data)
        elif self._chunked:
            self._framing += len(data)
        body_bytes = self.body_bytes
        self._parse(data)
        if self.began:
            self._check_growth(len(data), body_bytes)

    def close(self) -> None:
        """Stop parsing. This also breaks the reference cycle of parser and reader."""
        self._ended = True
        self._parser = None

    def _parse(self, data: bytes) -> None:
        rest = None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
        except httptools.HttpParserCallbackError as error:
            self._ended = True
            if isinstance(error.__context__, Refused):
                raise error.__context__ from None
            if not isinstance(error.__context__, _Last):
                raise
        except httptools.HttpParserError as error:
            self._ended = True
            raise Refused(400, f"this is no HTTP request: {error}") from None
        if rest is not None:
            self._ignore_upgrade()
            self._parse(rest)

    def _check_growth(self, received: int, body_bytes: int) -> None:
        """Limit what the parser buffers until it is complete: a line of the head, of a chunk, of the trailers."""
        if not self.head_done:
            if self._head_bytes > self._limits.head_bytes:
                raise self._too_large_a_head()
        elif self._chunked:
            self._framing_only = 0 if self.body_bytes > body_bytes else self._framing_only + received
            around = self._framing - self.body_bytes
            if max(self._framing_only, around - _OVERHEAD * self.body_bytes) > self._limits.head_bytes:
                self._ended = True
                raise Refused(400, "there is too much around the chunks of the body")

    def on_message_begin(self) -> None:
        self.began = True
        self._environ = self._base.copy()

    def on_url(self, part: bytes) -> None:
        self._url += part
        if len(self._url) > self._limits.target_bytes:
            raise Refused(414, "the target of the request is too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        limits = self._limits
        size = len(name) + len(value) + 4
        self._fields += 1
        self._fields_bytes += size
        most = limits.fields, limits.field_bytes, limits.head_bytes
        if self._fields > most[0] or size > most[1] or self._fields_bytes > most[2]:
            raise self._too_large_a_head()
        if not self.head_done:  # a trailer must not pass for a header
            put_header(self._environ, name, value)

    def on_headers_complete(self) -> None:
        self.head_done = True
        environ, parser = self._environ, self._parser
        self._version = version = parser.get_http_version()
        if version not in _VERSIONS:
            raise Refused(505, f"HTTP/{version} is not spoken here")
        self._check_host(environ, version)
        environ["SERVER_PROTOCOL"] = _VERSIONS[version]
        environ["REQUEST_METHOD"] = parser.get_method().decode("latin-1")
        put_target(environ, self._url)
        if "HTTP_TRANSFER_ENCODING" in environ:
            self._check_coding(environ.pop("HTTP_TRANSFER_ENCODING"), version)
        elif "CONTENT_LENGTH" in environ:
            self._check_length(environ["CONTENT_LENGTH"])
        if "HTTP_EXPECT" in environ:
            self._expect(environ["HTTP_EXPECT"], version)
        self._fields = self._fields_bytes = 0

    def on_body(self, part: bytes) -> None:
        self.expects = False
        self.body_bytes += len(part)
        if self.body_bytes > self._limits.body_bytes:
            self._too_large_a_body(self.body_bytes)
        self._body.write(part)

    def on_message_complete(self) -> None:
        parser = self._parser
        if not parser.should_upgrade():
            self._complete(parser.should_keep_alive())
        elif not self._chunked and not self._length:
            self._complete_last()
        # Else the body follows: see `_ignore_upgrade`.

    def _check_host(self, environ: dict[str, Any], version: str) -> None:
        host = environ.get("HTTP_HOST")
        if host is None:
            if version == "1.1":
                raise Refused(400, "the header Host is missing")
        elif host != self._host:
            check_host(host)
            self._host = host

    def _check_coding(self, coding: str, version: str) -> None:
        if version == "1.0":
            raise Refused(400, "HTTP/1.0 knows no transfer codings")
        if coding.strip().lower() != "chunked":
            raise Refused(501, f"the transfer coding {coding} is not understood here")
        self._chunked = True

    def _check_length(self, text: str) -> None:
        if not text.isdecimal():
            raise Refused(400, "the header Content-Length is malformed")
        self._length = int(text)
        if self._length > self._limits.body_bytes:
            self._too_large_a_body(self._length)

    def _expect(self, expected: str, version: str) -> None:
        if expected.lower() != "100-continue":
            raise Refused(417, "this expectation cannot be met")
        self.expects = version == "1.1" and (self._chunked or self._length > 0)

    def _too_large_a_body(self, length: int) -> None:
        """Raise Refused, or pass the request on without its body and raise _Last."""
        if not self._limits.asks_application:
            raise Refused(413, "the body is too large")
        self._environ["CONTENT_LENGTH"] = str(length)
        self._environ["wsgi.input"] = UnreadBody()
        self.requests.append(Request(self._environ, self._version, keep_alive=False, whole=False))
        self._forget()
        raise _Last

    def _too_large_a_head(self) -> Refused:
        self._ended = True
        return Refused(431, "the head of the request is too large")

    def _ignore_upgrade(self) -> None:
        """Parse the body of a request that offers another protocol. The parser took it for that protocol's.

        Another parser does it, behind a head that only has the body's framing.
        """
        rest = SimpleNamespace(
            on_header=self.on_header, on_body=self.on_body, on_message_complete=self._complete_last
        )
        self._parser = httptools.HttpRequestParser(rest)
        framing = b"Transfer-Encoding: chunked" if self._chunked else b"Content-Length: %d" % self._length
        self._parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n\r\n" % framing)

    def _complete_last(self) -> None:
        """Complete a request that offers another protocol. What follows may be in that protocol."""
        self._complete(keep_alive=False)
        raise _Last

    def _complete(self, keep_alive: bool) -> None:
        environ = self._environ
        if self.body_bytes:
            self._body.seek(0)
        if self._chunked:
            environ["CONTENT_LENGTH"] = str(self.body_bytes)
        environ["wsgi.input"] = self._body
        self.requests.append(Request(environ, self._version, keep_alive, whole=True))
        self._forget()

    def _forget(self) -> None:
        self.began = self.head_done = self.expects = self._chunked = False
        self._url = b""
        self._body = io.BytesIO()
        self._head_bytes = self._fields = self._fields_bytes = 0
        self.body_bytes = 0
        self._length = 0
        self._framing = 0  # bytes of a chunked body received since the head
        self._framing_only = 0  # bytes received since the last data of a chunked body
