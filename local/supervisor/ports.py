"""Ports of the loopback address."""

import contextlib
import http.client
import socket
from functools import cache
from itertools import cycle

LOOPBACK = "127.0.0.1"
#: Above the ports that the service has by default, below those that Linux gives to outgoing connections.
_FIRST, _LAST = 17_000, 32_767
#: Ports that one process takes in turn: more than it waits to have bound at any moment.
_BLOCK = 250


def free_port() -> int:
    """A port that nothing listens on, and that no other process is given before it is bound.

    Each process of this machine that asks has a block of ports for as long as it lives, and takes them in turn.
    """
    return _own_block().take()


def is_free(port: int) -> bool:
    """Whether a server could listen on the port."""
    with socket.socket() as probe:
        # As servers do: connections that have just ended do not keep a port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            probe.bind((LOOPBACK, port))
            return True
        return False


class PortsExhausted(Exception):
    """All blocks belong to other processes, or all ports of ours are in use."""


class _Block:
    """Some ports that belong to this process while `claim` is open."""

    def __init__(self, first: int, claim: socket.socket) -> None:
        self._claim = claim
        self._ports = cycle(range(first, first + _BLOCK))

    def take(self) -> int:
        for _ in range(_BLOCK):
            if is_free(port := next(self._ports)):
                return port
        raise PortsExhausted(f"{_BLOCK} ports of this process are all in use")


@cache
def _own_block() -> _Block:
    """The first block without an owner. An abstract socket is the claim: one binds it, and its end frees it."""
    for first in range(_FIRST, _LAST - _BLOCK + 2, _BLOCK):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0lambda-microservice-ports-{first}")
        except OSError:
            claim.close()
            continue
        return _Block(first, claim)
    raise PortsExhausted(f"every block of ports from {_FIRST} to {_LAST} belongs to another process")


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
