"""A runtime's address. A test chooses how it answers, for each connection and request."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from gevent import socket, ssl
from gevent.event import Event
from gevent.server import StreamServer

from local.supervisor.ports import free_port

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Exchange:
    """What a server sees of one request: its bytes, and the connection to answer on."""

    def __init__(self, connection: socket.socket, data: bytes, number: int) -> None:
        self.connection = connection
        self.data = data
        self.number = number
        """The request's place on its connection, from 1."""

    def answer(self, data: bytes = OK) -> None:
        self.connection.sendall(data)


Manner = Callable[[Exchange], object]
"""Treats one request; True: the connection is closed."""


class Server:
    """Listens on loopback. `requests` are those that came in whole, in order."""

    def __init__(
        self,
        manner: Manner = Exchange.answer,
        on_accept: Manner | None = None,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._manner = manner
        self._on_accept = on_accept
        self._tls = tls
        place = ("127.0.0.1", port)
        self._server = (
            StreamServer(place, self._serve, ssl_context=tls) if tls else StreamServer(place, self._serve)
        )
        self._open: list[socket.socket] = []
        self.requests: list[bytes] = []
        self.accepted = 0
        self.client_gone = Event()
        self._server.start()

    @property
    def address(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._server.server_port}"

    def hang_up(self) -> None:
        """Closes every connection, as a server does with those that were idle for long."""
        for connection in self._open:
            # A socket that a greenlet reads is only closed in the loop's next round, and would receive until then.
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._open.clear()

    def stop(self) -> None:
        self._server.stop(timeout=0)
        self.hang_up()

    def _serve(self, connection: socket.socket, _: object) -> None:
        self.accepted += 1
        self._open.append(connection)
        if self._on_accept and self._on_accept(Exchange(connection, b"", 0)):
            connection.close()
            return
        try:
            for number, request in enumerate(_requests(connection), start=1):
                self.requests.append(request)
                if self._manner(Exchange(connection, request, number)):
                    connection.close()
                    return
        except OSError:
            pass
        self.client_gone.set()


@contextmanager
def serving(
    manner: Manner = Exchange.answer, on_accept: Manner | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[Server]:
    server = Server(manner, on_accept, tls=tls)
    try:
        yield server
    finally:
        server.stop()


def refusing_address() -> str:
    """An address that refuses connections."""
    return f"http://127.0.0.1:{free_port()}"


def _requests(connection: socket.socket) -> Iterator[bytes]:
    data, whole = bytearray(), 0
    while received := connection.recv(1 << 16):
        data += received
        if not whole and (end := data.find(b"\r\n\r\n")) >= 0:
            whole = end + 4 + _length(bytes(data[:end]))
        if whole and len(data) >= whole:
            yield bytes(data)
            data, whole = bytearray(), 0


def _length(head: bytes) -> int:
    lines = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return int(lines[0].split(b":")[1]) if lines else 0
