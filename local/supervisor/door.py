"""The listening socket of a server that is not started before its first client connects."""

import fcntl
import os
import select
import signal
import socket

from local.supervisor.ports import LOOPBACK

#: What the kernel sends us when a client knocks at a door. The supervisor holds it back while it listens for signals.
KNOCK = signal.SIGIO


class Door:
    """Listens at a port. Clients that connect wait in the kernel until the server takes the socket.

    Raises:
        OSError: The port is in use.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.create_server((LOOPBACK, port))
        # Where no supervisor holds the signal back, it must not end the process.
        if signal.getsignal(KNOCK) is signal.SIG_DFL:
            signal.signal(KNOCK, lambda *_: None)
        descriptor = self._socket.fileno()
        fcntl.fcntl(descriptor, fcntl.F_SETOWN, os.getpid())
        self._signals(os.O_ASYNC)

    @property
    def descriptor(self) -> int:
        """The socket's, to be inherited by the server."""
        return self._socket.fileno()

    def knocked(self) -> bool:
        """Whether a client waits."""
        return bool(select.select([self._socket], [], [], 0)[0])

    def close(self) -> None:
        """Leave the socket to the server, or to none."""
        self._signals(0)
        self._socket.close()

    def _signals(self, flag: int) -> None:
        """Set or clear the flag by which the kernel sends `KNOCK`. The server shares it with us."""
        others = fcntl.fcntl(self._socket, fcntl.F_GETFL) & ~os.O_ASYNC
        fcntl.fcntl(self._socket, fcntl.F_SETFL, others | flag)
