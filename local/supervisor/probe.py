"""Questions to servers on this machine: do they listen, are they well?"""

import contextlib
import http.client
import socket

from local.supervisor.ports import LOOPBACK

#: Seconds for one look.
TIMEOUT = 10.0


def is_well(port: int, path: str) -> bool:
    """Whether the server answers 200 at that path."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=TIMEOUT)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def listens(port: int) -> bool:
    """Whether a server accepts connections at that port."""
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), TIMEOUT):
        return True
    return False
