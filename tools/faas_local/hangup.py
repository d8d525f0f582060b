"""A client that hangs up takes its call with it, as with the gateway."""

import contextlib
from collections.abc import Iterator

import gevent
from gevent import socket


@contextlib.contextmanager
def ending_with(client: socket.socket, upstream: socket.socket) -> Iterator[None]:
    """The connection `upstream` is cut when the client hangs up meanwhile, which its function notices.

    The client's request must have been read to its end.
    """
    watcher = gevent.spawn(_watch, client, upstream)
    try:
        yield
    finally:
        watcher.kill()


def _watch(client: socket.socket, upstream: socket.socket) -> None:
    with contextlib.suppress(OSError):
        socket.wait_read(client.fileno())
        # Anything else is the client's next request, which waits.
        if client.recv(1, socket.MSG_PEEK) == b"":
            upstream.shutdown(socket.SHUT_RDWR)
