"""Looks at servers on this machine."""

import contextlib
import http.client
import socket

from local.supervisor.ports import LOOPBACK

#: Seconds for one look.
TIMEOUT = 2.0


def is_well(port: int, path: str) -> bool:
    """Whether the server's own word for its health, at that path, is 200."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=TIMEOUT)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def listens(port: int) -> bool:
    """Whether anybody does."""
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), TIMEOUT):
        return True
    return False
