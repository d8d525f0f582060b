"""Accepts connections from a listening socket while there is room for them."""

import errno
import socket
from collections.abc import Callable
from typing import Any

import gevent
from gevent import monkey

#: Seconds until the next attempt after the system had no descriptor or memory for a connection.
_PAUSE = 0.5
_READ = 1
_SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
#: The original class: gevent's sockets have two watchers each, which are not needed here.
PlainSocket = monkey.get_original("socket", "socket")


class Listener:
    """One listening socket. Connections that are not accepted wait in the kernel's queue, for other workers too.

    Args:
        listening: gunicorn's socket. The listener takes it over.
        burst: Most connections to accept before existing ones get their turn.
        has_room: Returns whether another connection can be accepted.
        take: Called with the listener, a connection and its address. It must not wait.
        warn: Writes a warning to the log.
    """

    def __init__(
        self,
        listening: Any,
        burst: int,
        has_room: Callable[[], bool],
        take: Callable[["Listener", Any, Any], None],
        warn: Callable[[str], None],
    ) -> None:
        self._socket = PlainSocket(listening.family, socket.SOCK_STREAM, fileno=listening.detach())
        self._socket.setblocking(False)
        self.is_unix = self._socket.family == socket.AF_UNIX
        if not self.is_unix:
            # Each accepted connection inherits it.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.name: tuple[str, int] = ("", 0) if self.is_unix else self._socket.getsockname()[:2]
        self._burst = burst
        self._has_room = has_room
        self._take = take
        self._warn = warn
        self._watcher = gevent.get_hub().loop.io(self._socket.fileno(), _READ)
        self._open = True
        self._accepting = False
        self.resume()

    def resume(self) -> None:
        """Accept connections again, because there is room."""
        if not self._accepting and self._open:
            self._accepting = True
            self._watcher.start(self._accept)

    def close(self) -> None:
        """Stop accepting and close the socket."""
        self._open = False
        self._watcher.stop()
        self._watcher.close()
        self._socket.close()

    def _pause(self) -> None:
        self._accepting = False
        self._watcher.stop()

    def _accept(self) -> None:
        for _ in range(self._burst):
            if not self._has_room():
                self._pause()
                return
            try:
                client, address = self._socket.accept()
            except OSError as error:
                if error.errno in _SHORTAGES:
                    self._warn(f"no connection can be taken: {error.strerror}")
                    self._pause()
                    gevent.spawn_later(_PAUSE, self.resume)
                return
            # `accept` returns a socket of gevent, because gevent has replaced the class of the standard library.
            plain = PlainSocket(client.family, socket.SOCK_STREAM, fileno=client.detach())
            plain.setblocking(False)
            self._take(self, plain, address)
