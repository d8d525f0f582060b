"""A connected socket, plain or TLS, on which every wait ends at a deadline."""

import select
import struct
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from gevent import get_hub, monkey, socket, ssl
from gevent.hub import Waiter

from controller.transport.request import remaining

READ_BYTES = 1 << 16
TCP_INFO_BYTES_ACKED = 120
"""Offset of `tcpi_bytes_acked`, 64 bits, in the kernel's `struct tcp_info` (linux/tcp.h)."""
READABLE, WRITABLE = 1, 2
"""libev's events, as gevent's loop takes them."""

PlainSocket: type[socket.socket] = monkey.get_original("socket", "socket")
PlainPoll = monkey.get_original("select", "poll")
"""Python's own, which go to the kernel by the shortest way. They would stop everybody where they wait; none does."""
Done = TypeVar("Done")


class Watcher(Protocol):
    """One of the loop's: calls back once something is the case."""

    def start(self, callback: Callable[..., object], *args: object) -> None: ...
    def stop(self) -> None: ...
    def close(self) -> None: ...


class Wire:
    """Sends and receives for one greenlet at a time.

    gevent's sockets do so too, but first try to receive what cannot be there yet, and make an exception for every
    wait in case its time should run out: together that costs more than the system calls.

    Args:
        opened: connected; it is this object's from now on.
    """

    def __init__(self, opened: socket.socket) -> None:
        self._encrypted = isinstance(opened, ssl.SSLSocket)
        self._socket = opened if self._encrypted else PlainSocket(fileno=opened.detach())
        self._socket.settimeout(0)
        self._hub = get_hub()
        self._readable: Watcher = self._hub.loop.io(self._socket.fileno(), READABLE)
        self._writable: Watcher = self._hub.loop.io(self._socket.fileno(), WRITABLE)
        self._look = PlainPoll()
        self._look.register(self._socket.fileno(), select.POLLIN)

    def send(self, data: bytes, deadline: float) -> None:
        """Sends all of it; raises OSError when some of it did not leave us, TimeoutError when not in time."""
        remaining(deadline)
        sent = 0
        while sent < len(data):
            rest = memoryview(data)[sent:] if sent else data
            sent += self._when_ready(self._socket.send, rest, self._writable, deadline)

    def receive(self, deadline: float) -> bytes:
        """What came, nothing when the peer has closed; raises OSError, TimeoutError."""
        if not self._encrypted:  # of what TLS has decrypted already, the kernel knows nothing
            self._wait(self._readable, deadline)
        return self._when_ready(self._socket.recv, READ_BYTES, self._readable, deadline)

    def quiet(self) -> bool:
        """Whether the peer has left the idle connection open and said nothing."""
        if not self._look.poll(0):
            return True
        try:
            self._socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        return False

    def acknowledged(self) -> int | None:
        """How many bytes the peer's kernel has taken. None: that cannot be told.

        A kernel may keep no such count, and TLS sends others than we do.
        """
        if self._encrypted:
            return None
        info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES_ACKED + 8)
        if len(info) < TCP_INFO_BYTES_ACKED + 8:
            return None
        (count,) = struct.unpack_from("Q", info, TCP_INFO_BYTES_ACKED)
        return int(count) - 1  # the kernel counts our SYN as one byte

    def close(self) -> None:
        """Ends it."""
        self._readable.close()
        self._writable.close()
        self._socket.close()

    def _when_ready(
        self, act: Callable[[Any], Done], argument: object, ready: Watcher, deadline: float
    ) -> Done:
        while True:
            try:
                return act(argument)
            except ssl.SSLWantReadError:
                self._wait(self._readable, deadline)
            except ssl.SSLWantWriteError:
                self._wait(self._writable, deadline)
            except BlockingIOError:
                self._wait(ready, deadline)

    def _wait(self, ready: Watcher, deadline: float) -> None:
        """Lets others run until the watcher says that it is time; raises TimeoutError."""
        waiter: Waiter[bool] = Waiter(self._hub)
        timer = self._hub.loop.timer(remaining(deadline))
        try:
            ready.start(waiter.switch, True)
            timer.start(waiter.switch, False)
            if not waiter.get():
                raise TimeoutError("not in time")
        finally:
            ready.stop()
            timer.close()
