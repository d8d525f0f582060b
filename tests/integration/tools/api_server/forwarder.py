"""A port that leads to a server, and can be closed while the server stays up."""

import contextlib
import select
import socket
import socketserver
import threading
from typing import Any

from local.supervisor.ports import LOOPBACK

CHUNK = 65536
#: Seconds between two looks whether the port is to be closed.
POLL = 0.01


class Forwarder:
    """Forwards TCP connections to the port `target` while it is open."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener: _Listener | None = None
        self.port = 0

    def open(self) -> None:
        """Accepts connections, on the same port as before."""
        self._listener = _Listener(self.port, self._target)
        self.port = self._listener.server_address[1]
        threading.Thread(target=self._listener.serve_forever, args=(POLL,), daemon=True).start()

    def close(self) -> None:
        """Breaks every connection, and accepts none."""
        if self._listener is not None:
            self._listener.shutdown()
            for connection in tuple(self._listener.connections):
                with contextlib.suppress(OSError):  # its peer has closed it
                    connection.shutdown(socket.SHUT_RDWR)
            # Waits for the threads of the connections.
            self._listener.server_close()
            self._listener = None


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True

    def __init__(self, port: int, target: int) -> None:
        super().__init__((LOOPBACK, port), _Connection)
        self.target = target
        self.connections: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)


class _Connection(socketserver.BaseRequestHandler):
    server: _Listener

    def handle(self) -> None:
        # The server may be away, and either side may reset its connection.
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, self.server.target)) as server:
            _forward(self.request, server)


def _forward(client: socket.socket, server: socket.socket) -> None:
    """Copies in both directions until one side ends."""
    other = {client: server, server: client}
    while True:
        readable, _, _ = select.select(list(other), [], [])
        for one in readable:
            data = one.recv(CHUNK)
            if not data:
                return
            other[one].sendall(data)
