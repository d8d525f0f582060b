"""The socket of a client: reads do not wait, writes wait within timeouts."""

import socket
import struct
from contextlib import suppress
from time import monotonic
from typing import Any

from gevent import socket as gevent_socket
from http_limits import Timeouts

#: Most reads, and most bytes of each, after a client was refused.
_DROPS = 256
_DROPPED = 64 << 10
#: The value of SO_LINGER with which `close` resets the connection.
_RESET = struct.pack("ii", 1, 0)


class Disconnected(Exception):
    """The client does not accept the response."""


class Client:
    """A client.

    Args:
        client: Its socket, non-blocking.
        timeouts: Limit how long it may take to accept a response.
    """

    __slots__ = ("_socket", "_taken", "_timeouts", "_waited", "descriptor", "receive")

    def __init__(self, client: Any, timeouts: Timeouts) -> None:
        self._socket = client
        self._timeouts = timeouts
        self.descriptor: int = client.fileno()
        self.receive = client.recv
        self.expect_answer()

    def expect_answer(self) -> None:
        """Start the timeouts of the next response."""
        self._waited = 0.0
        self._taken = 0

    def send(self, data: bytes) -> None:
        """Send data. Return when the kernel has taken all of it. Raises Disconnected."""
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise Disconnected from error
        if sent < len(data):
            self._send_slowly(memoryview(data)[sent:])

    def linger(self) -> None:
        """Close our side first, and read what the client still sends: otherwise a reset would lose the response."""
        end = monotonic() + self._timeouts.linger
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            for _ in range(_DROPS):
                gevent_socket.wait_read(self.descriptor, timeout=max(0.0, end - monotonic()))
                if not self.receive(_DROPPED):
                    return

    def reset(self) -> None:
        """Have `close` reset the connection, so that the client sees that its response is incomplete."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def close(self) -> None:
        """Close the socket without waiting."""
        self._socket.close()

    def _send_slowly(self, view: memoryview) -> None:
        timeouts = self._timeouts
        while view:
            began = monotonic()
            left = timeouts.write + self._taken / timeouts.write_rate - self._waited
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
