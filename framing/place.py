"""Place: where the frames of a runtime are: a Unix socket, or a TCP port."""

import socket as kernel
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from gevent import socket

#: How the fragment of a runtime's address begins that names its frames.
_FRAGMENT = "frames="
_UNIX = "unix:"
#: Longest path of a Unix socket in Linux, in bytes.
PATH_MAX_BYTES = 107
#: Connections that wait to be accepted.
_BACKLOG = 128
#: Seconds of silence after which the kernel probes the peer, seconds between two probes, and how many may fail.
_PROBES = ((kernel.TCP_KEEPIDLE, 10), (kernel.TCP_KEEPINTVL, 5), (kernel.TCP_KEEPCNT, 3))
#: Milliseconds after which the kernel closes a connection whose peer acknowledges nothing.
_UNACKNOWLEDGED_MS = 20_000


class Place(NamedTuple):
    """A Unix socket if `path` is not empty, else a TCP port."""

    path: str = ""
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `unix:<absolute path>` or a port. Raises ValueError."""
        if text.startswith(_UNIX):
            path = text.removeprefix(_UNIX)
            if not path.startswith("/") or len(path.encode()) > PATH_MAX_BYTES:
                raise ValueError(text)
            return cls(path=path)
        port = int(text)
        if not 0 < port < 65536:
            raise ValueError(text)
        return cls(port=port)

    def text(self, host: str) -> str:
        """Return it as people read it, a port with its host."""
        return f"{_UNIX}{self.path}" if self.path else f"{host}:{self.port}"

    def listen(self) -> socket.socket:
        """Listen here, on every interface. The socket of a process that has ended is replaced. Raises OSError."""
        if not self.path:
            both = kernel.has_dualstack_ipv6()
            family = socket.AF_INET6 if both else socket.AF_INET
            made = kernel.create_server(("", self.port), family=family, backlog=_BACKLOG, dualstack_ipv6=both)
            return socket.socket(made.family, made.type, fileno=made.detach())
        Path(self.path).unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(self.path)
            # The folder's mode decides who reaches it.
            Path(self.path).chmod(0o666)
            listener.listen(_BACKLOG)
        except BaseException:
            listener.close()
            raise
        return listener

    def connect(self, host: str, timeout: float) -> socket.socket:
        """Connect within `timeout` seconds. `host` is for a port. Raises OSError."""
        if not self.path:
            return kept_alive(socket.create_connection((host, self.port), timeout))
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            opened.settimeout(timeout)
            opened.connect(self.path)
        except BaseException:
            opened.close()
            raise
        return opened


def place_of(address: str) -> tuple[str, Place] | None:
    """Return the host of a runtime's address, and the place of its frames; None if it names none.

    Raises:
        ValueError: The fragment names no place, or the address is not http.
    """
    parts = urlsplit(address)
    if not parts.fragment:
        return None
    if not parts.fragment.startswith(_FRAGMENT) or parts.scheme != "http":
        raise ValueError(address)
    return parts.hostname or "", Place.parse(parts.fragment.removeprefix(_FRAGMENT))


def with_frames(address: str, place: str) -> str:
    """Return a runtime's address with the place of its frames."""
    return f"{address}#{_FRAGMENT}{place}"


def without_frames(address: str) -> str:
    """Return a runtime's address without the place of its frames."""
    return address.partition("#")[0]


def kept_alive(opened: socket.socket) -> socket.socket:
    """Have the kernel send small writes immediately, and notice a TCP peer that has vanished. Return the socket."""
    if opened.family != socket.AF_UNIX:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _PROBES:
            opened.setsockopt(socket.IPPROTO_TCP, option, value)
        opened.setsockopt(socket.IPPROTO_TCP, kernel.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)
    return opened
