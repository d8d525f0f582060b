"""A connected socket, plain or TLS, on which every wait ends at a deadline."""

import select
import struct
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from gevent import get_hub, monkey, socket, ssl
from gevent.hub import Waiter

from controller.runtimes.transport.messages import remaining

READ_BYTES = 1 << 16
#: Offset of `tcpi_bytes_acked`, 64 bits, in the kernel's `struct tcp_info` (linux/tcp.h).
TCP_INFO_BYTES_ACKED = 120
#: libev's events, as gevent's loop takes them.
READABLE, WRITABLE = 1, 2
KernelSocket: type[socket.socket] = monkey.get_original("socket", "socket")
#: Python's own, which go to the kernel by the shortest way. They would stop everybody where they wait; none
#: does.
KernelPoll = monkey.get_original("select", "poll")
Done = TypeVar("Done")


class Wire(Protocol):
    """Sends and receives for one greenlet at a time; deadlines are on the monotonic clock."""

    def send(self, data: bytes, deadline: float) -> None:
        """Sends all of it; raises OSError when some of it did not leave us, TimeoutError when not in time."""

    def receive(self, deadline: float) -> bytes:
        """What came, nothing when the peer has closed; raises OSError, TimeoutError."""

    def quiet(self) -> bool:
        """Whether the peer has left the idle connection open and said nothing."""

    def acknowledged(self) -> int | None:
        """How many bytes the peer's kernel has taken. None: that cannot be told."""

    def close(self) -> None:
        """Ends it."""


def wire(opened: socket.socket) -> Wire:
    """What a connected socket is sent and received by; the socket itself is used no more."""
    return TlsWire(opened) if isinstance(opened, ssl.SSLSocket) else PlainWire(opened)


class Watcher(Protocol):
    """One of the loop's: calls back once something is the case."""

    def start(self, callback: Callable[..., object], *args: object) -> None: ...
    def stop(self) -> None: ...
    def close(self) -> None: ...


class PlainWire:
    """TCP.

    gevent's sockets do the same, but first try to receive what cannot be there yet, and make an exception for every
    wait in case its time should run out: together that costs more than the system calls.
    """

    def __init__(self, opened: socket.socket) -> None:
        self._socket = KernelSocket(fileno=opened.detach())
        self._socket.setblocking(False)
        self._hub = get_hub()
        descriptor = self._socket.fileno()
        self._readable: Watcher = self._hub.loop.io(descriptor, READABLE)
        self._writable: Watcher = self._hub.loop.io(descriptor, WRITABLE)
        self._look = KernelPoll()
        self._look.register(descriptor, select.POLLIN)

    def send(self, data: bytes, deadline: float) -> None:
        remaining(deadline)
        sent = 0
        while sent < len(data):
            rest = memoryview(data)[sent:] if sent else data
            sent += self._when_ready(self._socket.send, rest, self._writable, deadline)

    def receive(self, deadline: float) -> bytes:
        self._wait(self._readable, deadline)
        return self._when_ready(self._socket.recv, READ_BYTES, self._readable, deadline)

    def quiet(self) -> bool:
        return not self._look.poll(0)

    def acknowledged(self) -> int | None:
        info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES_ACKED + 8)
        if len(info) < TCP_INFO_BYTES_ACKED + 8:
            return None  # this kernel keeps no such count
        (count,) = struct.unpack_from("Q", info, TCP_INFO_BYTES_ACKED)
        return int(count) - 1  # our SYN is counted as one byte

    def close(self) -> None:
        self._readable.close()
        self._writable.close()
        self._socket.close()

    def _when_ready(
        self, act: Callable[[Any], Done], argument: object, ready: Watcher, deadline: float
    ) -> Done:
        while True:
            try:
                return act(argument)
            except BlockingIOError:
                self._wait(ready, deadline)

    def _wait(self, ready: Watcher, deadline: float) -> None:
        """Lets others run until the watcher says that it is time; raises TimeoutError."""
        waiter: Waiter[bool] = Waiter(self._hub)
        timer = self._hub.loop.timer(remaining(deadline))
        try:
            ready.start(waiter.switch, True)
            timer.start(waiter.switch, False)
            # Who was busy for long finds all timers due, and then what has come meanwhile.
            if not waiter.get() and self.quiet():
                raise TimeoutError("not in time")
        finally:
            ready.stop()
            timer.close()


class TlsWire:
    """TLS, whose bytes on the way are not ours to count: gevent knows what it waits for."""

    def __init__(self, opened: ssl.SSLSocket) -> None:
        self._socket = opened

    def send(self, data: bytes, deadline: float) -> None:
        self._socket.settimeout(remaining(deadline))
        self._socket.sendall(data)

    def receive(self, deadline: float) -> bytes:
        self._socket.settimeout(remaining(deadline))
        received: bytes = self._socket.recv(READ_BYTES)
        return received

    def quiet(self) -> bool:
        self._socket.settimeout(0)
        try:
            self._socket.recv(1)
        except ssl.SSLWantReadError:
            return True
        except OSError:
            return False
        return False

    def acknowledged(self) -> int | None:
        return None

    def close(self) -> None:
        self._socket.close()
