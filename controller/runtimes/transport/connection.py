"""Connection: one keep-alive HTTP/1.1 connection to a runtime. llhttp parses the answers."""

from collections.abc import Iterator
from time import monotonic
from urllib.parse import urlsplit

import gevent
import httptools
from gevent import socket, ssl

from controller.runtimes.transport.failures import AnswerLate, NothingRan, RequestFailed
from controller.runtimes.transport.messages import Answer, Budget, Request, checked, remaining
from controller.runtimes.transport.wire import wire

HEAD_MAX_BYTES = 1 << 16
#: Longest answer in bytes. A runtime's default limits of results and artifacts are lower.
BODY_MAX_BYTES = 128 << 20


class Endpoint:
    """A parsed address.

    Args:
        address: `http[s]://host[:port][/path]`.
    """

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.address = address
        self.host = checked(parts.netloc)
        self.base_path = parts.path.rstrip("/")
        self._tls = _trust() if parts.scheme == "https" else None
        self._name = parts.hostname or ""
        self._target = (self._name, parts.port or (443 if self._tls else 80))

    def connect(self, timeout: float) -> socket.socket:
        """Open a connection within `timeout` seconds, including DNS and the TLS handshake. Raises OSError."""
        with gevent.Timeout(timeout) as limit:
            try:
                return self._connect()
            except gevent.Timeout as passed:
                if passed is not limit:
                    raise
        raise TimeoutError(f"not within {timeout:.1f} s")

    def _connect(self) -> socket.socket:
        opened = socket.create_connection(self._target)
        try:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self._tls.wrap_socket(opened, server_hostname=self._name) if self._tls else opened
        except BaseException:
            opened.close()
            raise


def _trust() -> ssl.SSLContext:
    # Not `create_default_context`: without gevent's monkey patch its sockets block all greenlets.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    return context


class Connection:
    """Carries one request at a time. It may carry another one only while `reusable`.

    Args:
        endpoint: the address.
        connect_by: deadline for connecting, on the monotonic clock.

    Raises:
        NothingRan: the runtime cannot be reached.
    """

    def __init__(self, endpoint: Endpoint, connect_by: float) -> None:
        self._endpoint = endpoint
        self._reader = _AnswerReader()
        self._sent = 0
        self.reusable = True
        self.idle_since = 0.0
        try:
            self._wire = wire(endpoint.connect(remaining(connect_by)))
        except OSError as error:
            raise NothingRan(f"no connection: {error}") from error

    def exchange(self, request: Request, budget: Budget) -> Answer:
        """Send the request and wait for its answer.

        Raises:
            NothingRan: the runtime certainly did not get the whole request.
            AnswerLate: the deadline passed.
            RequestFailed: the connection broke, or the answer is not HTTP.
        """
        kept, self.reusable = self._sent > 0, False
        data = request.encode(self._endpoint.host, self._endpoint.base_path)
        self._send(data, budget, kept)
        reader = self._reader
        reader.begin()
        while not reader.complete:
            reader.feed(self._receive(budget, kept))
        self._sent += len(data)
        self.reusable, self.idle_since = reader.keep_alive, monotonic()
        return Answer(reader.status, b"".join(reader.body))

    def stream(self, request: Request, budget: Budget) -> tuple[int, Iterator[bytes]]:
        """Send the request. Return the status of its answer, and the body as it comes. Raises as `exchange` does."""
        self.reusable = False
        data = request.encode(self._endpoint.host, self._endpoint.base_path)
        self._send(data, budget, kept=False)
        reader = self._reader
        reader.begin()
        while reader.status < 200:
            reader.feed(self._receive(budget, kept=False))
        return reader.status, self._streamed(budget)

    def _streamed(self, budget: Budget) -> Iterator[bytes]:
        yield from self._reader.taken()
        while not self._reader.complete:
            self._reader.feed(self._receive(budget, kept=False))
            yield from self._reader.taken()

    def quiet(self) -> bool:
        """Return whether the idle connection is open and has no input."""
        return self._wire.quiet()

    def close(self) -> None:
        """Close the connection. A runtime that still works on a request notices it."""
        self.reusable = False
        self._wire.close()

    def _send(self, data: bytes, budget: Budget, kept: bool) -> None:
        try:
            self._wire.send(data, budget.begun_by)
        except OSError as error:
            # The body was not sent completely, and the runtime runs nothing without it.
            raise NothingRan(f"not sent: {error}", kept=kept) from error

    def _receive(self, budget: Budget, kept: bool) -> bytes:
        try:
            received = self._wire.receive(budget.answered_by)
            reason = "the connection was closed"
        except TimeoutError as error:
            raise AnswerLate("no answer in time") from error
        except OSError as error:
            received, reason = b"", str(error)
        if received:
            return received
        # A peer that read the request and then died has acknowledged it, at the latest with its last segment.
        if not self._reader.begun and self._wire.acknowledged() == self._sent:
            raise NothingRan(reason, kept=kept)
        raise RequestFailed(reason)


class _AnswerReader:
    """Collects answers from the parser's callbacks."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.begin()

    def begin(self) -> None:
        """Reset for the next answer."""
        self._read = self.status = 0
        self.body: list[bytes] = []
        self.begun = self.complete = self.keep_alive = False

    def feed(self, data: bytes) -> None:
        """Parse received bytes. Raises RequestFailed if they are not HTTP or too many, or a second answer."""
        self.begun = True
        self._read += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise RequestFailed(f"no HTTP: {error}") from error
        if self._read > (BODY_MAX_BYTES if self.status else HEAD_MAX_BYTES):
            raise RequestFailed("the answer is too large")

    def taken(self) -> list[bytes]:
        """Return what of the body has come, and forget it: it does not count against the limit any more."""
        taken, self.body, self._read = self.body, [], 0
        return taken

    def on_message_begin(self) -> None:
        if self.complete:
            self.keep_alive = False  # an answer without a request

    def on_headers_complete(self) -> None:
        if not self.complete:
            self.status = self._parser.get_status_code()
            self.keep_alive = self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        if not self.complete:
            self.body.append(data)

    def on_message_complete(self) -> None:
        # A status below 200 is an interim answer: the final one follows.
        self.complete = self.complete or self.status >= 200
