"""RedisAddress: parses REDIS_URL in all forms of redis-py: host, TLS, credentials, database."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import gevent
import hiredis
from gevent import socket, ssl
from redis.connection import parse_url

READ_BYTES = 4096
Argument = str | bytes | int
#: Encodes a command for Redis. The types of the library allow only commands of one word.
encode = cast(Callable[[tuple[Argument, ...]], bytes], hiredis.pack_command)
#: The parser's result while a reply is incomplete.
MORE = object()


class RedisAddress:
    """A parsed Redis URL.

    Args:
        url: `redis://`, `rediss://` or `unix://`, with user, password, number of the database, and redis-py's options
            `client_name` and `ssl_*`.

    Raises:
        ValueError: it is not such a URL.
        OSError: a file that it names cannot be read.
    """

    def __init__(self, url: str) -> None:
        options = parse_url(url)  # type: ignore[no-untyped-call]
        self._path = options.get("path")
        self._target = options.get("host", "localhost"), options.get("port", 6379)
        self._tls = _tls(options) if url.startswith("rediss:") else None
        self._greeting = list(_greeting(options))

    def connect(self, timeout: float) -> socket.socket:
        """Open a connection: TLS handshake, login, choice of the database.

        Raises:
            OSError: Redis refused, or did not answer within `timeout` seconds.
        """
        with gevent.Timeout(timeout, TimeoutError(f"no connection within {timeout:g} s")):
            opened = self._open()
            try:
                opened = self._encrypted(opened)
                _greet(opened, self._greeting)
            except BaseException:
                opened.close()
                raise
        return opened

    def _open(self) -> socket.socket:
        if self._path is not None:
            opened = socket.socket(socket.AF_UNIX)
            try:
                opened.connect(self._path)
            except BaseException:
                opened.close()
                raise
            return opened
        opened = socket.create_connection(self._target)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return opened

    def _encrypted(self, opened: socket.socket) -> socket.socket:
        return self._tls.wrap_socket(opened, server_hostname=self._target[0]) if self._tls else opened


def _greeting(options: Mapping[str, Any]) -> Iterator[tuple[Argument, ...]]:
    """Return the first commands. The last one proves that Redis answers, and not only a proxy."""
    user, password = options.get("username"), options.get("password")
    if user:
        yield "AUTH", user, password or ""
    elif password:
        yield "AUTH", password
    if "client_name" in options:
        yield "CLIENT", "SETNAME", options["client_name"]
    if options.get("db"):
        yield "SELECT", options["db"]
    yield ("PING",)


def _greet(opened: socket.socket, commands: list[tuple[Argument, ...]]) -> None:
    """Send the commands. Raises ConnectionError if one is refused."""
    opened.sendall(b"".join(map(encode, commands)))
    reader = hiredis.Reader(notEnoughData=MORE)
    for _ in commands:
        while (reply := reader.gets()) is MORE:
            received = opened.recv(READ_BYTES)
            if not received:
                raise ConnectionError("the connection was closed")
            reader.feed(received)
        if isinstance(reply, hiredis.ReplyError):
            raise ConnectionError(str(reply))


def _tls(options: Mapping[str, Any]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusted = [options.get(name) for name in ("ssl_ca_certs", "ssl_ca_path", "ssl_ca_data")]
    if any(trusted):
        context.load_verify_locations(*trusted)
    else:
        context.load_default_certs()
    verify = options.get("ssl_cert_reqs", "required")
    context.check_hostname = verify != "none" and options.get("ssl_check_hostname", True)
    context.verify_mode = ssl.VerifyMode[f"CERT_{verify.upper()}"]
    if "ssl_min_version" in options:
        context.minimum_version = ssl.TLSVersion(options["ssl_min_version"])
    if "ssl_certfile" in options:
        context.load_cert_chain(
            options["ssl_certfile"], options.get("ssl_keyfile"), options.get("ssl_password")
        )
    return context
