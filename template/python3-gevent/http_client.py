"""The client's side of a connection: its socket, read without waiting and written to with patience."""

import socket
import struct
from contextlib import suppress
from time import monotonic
from typing import Any

from gevent import socket as gevent_socket
from http_limits import Patience

#: What is still read of a client that was refused: so many times so many bytes, at most.
_DROPS = 256
_DROPPED = 64 << 10
#: SO_LINGER: closing resets.
_RESET = struct.pack("ii", 1, 0)


class Disconnected(Exception):
    """The client does not take what it is sent."""


class Client:
    """One of them. `socket` does not block; `patience` bounds how long one answer may take to be taken."""

    __slots__ = ("_patience", "_socket", "_taken", "_waited", "descriptor", "receive")

    def __init__(self, client: Any, patience: Patience) -> None:
        self._socket = client
        self._patience = patience
        self.descriptor: int = client.fileno()
        self.receive = client.recv
        self.expect_answer()

    def expect_answer(self) -> None:
        """What is sent from here on is another answer."""
        self._waited = 0.0
        self._taken = 0

    def send(self, data: bytes) -> None:
        """Returns when the kernel has taken all of it. Raises Disconnected."""
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise Disconnected from error
        if sent < len(data):
            self._send_slowly(memoryview(data)[sent:])

    def linger(self) -> None:
        """End our side first: closed while its client still sends, a connection is reset, and the answer lost."""
        end = monotonic() + self._patience.linger
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            for _ in range(_DROPS):
                gevent_socket.wait_read(self.descriptor, timeout=max(0.0, end - monotonic()))
                if not self.receive(_DROPPED):
                    return

    def reset(self) -> None:
        """Have `close` tell the client that this was not the end of its answer."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def close(self) -> None:
        """At once."""
        self._socket.close()

    def _send_slowly(self, view: memoryview) -> None:
        patience = self._patience
        while view:
            began = monotonic()
            left = patience.write + self._taken / patience.write_rate - self._waited
            try:
                gevent_socket.wait_write(self.descriptor, timeout=max(0.0, left))
                sent = self._socket.send(view)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                raise Disconnected from error
            self._waited += monotonic() - began
            self._taken += sent
            view = view[sent:]
