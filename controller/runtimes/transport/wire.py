"""A connected socket, plain or TLS, with a deadline for every wait."""

import select
import struct
from collections.abc import Callable
from typing import Protocol

from gevent import get_hub, monkey, socket, ssl
from gevent.hub import Waiter

from controller.runtimes.transport.messages import remaining

READ_BYTES = 1 << 16
#: Offset of `tcpi_bytes_acked`, 64 bits, in the kernel's `struct tcp_info` (linux/tcp.h).
TCP_INFO_BYTES_ACKED = 120
#: Event flags of libev, for gevent's loop.
READABLE, WRITABLE = 1, 2
#: The classes without gevent's monkey patch, which are faster. They would block all greenlets if they waited, but
#: are only used without waiting.
KernelSocket: type[socket.socket] = monkey.get_original("socket", "socket")
KernelPoll = monkey.get_original("select", "poll")


class Wire(Protocol):
    """Sends and receives for one greenlet at a time. Deadlines are on the monotonic clock."""

    def send(self, data: bytes, deadline: float) -> None:
        """Send all bytes.

        Raises:
            TimeoutError: the deadline passed.
            OSError: some bytes were not sent.
        """

    def receive(self, deadline: float) -> bytes:
        """Return the received bytes; none if the peer has closed. Raises OSError, TimeoutError."""

    def quiet(self) -> bool:
        """Return whether the idle connection is open and has no input."""

    def acknowledged(self) -> int | None:
        """Return how many bytes the peer's kernel has acknowledged. None: unknown."""

    def close(self) -> None:
        """Close the connection."""


def wire(opened: socket.socket) -> Wire:
    """Wrap a connected socket. The socket itself must not be used any more."""
    return TlsWire(opened) if isinstance(opened, ssl.SSLSocket) else PlainWire(opened)


class Watcher(Protocol):
    """A watcher of the event loop, which calls back on an event."""

    def start(self, callback: Callable[..., object], *args: object) -> None:
        """Start watching."""

    def stop(self) -> None:
        """Stop watching."""

    def close(self) -> None:
        """Release the watcher."""


class PlainWire:
    """TCP.

    gevent's sockets do the same, but try to receive before there is data, and create an exception for the timeout of
    every wait. Together that costs more than the system calls.
    """

    def __init__(self, opened: socket.socket) -> None:
        self._socket = KernelSocket(fileno=opened.detach())
        self._socket.setblocking(False)
        self._hub = get_hub()
        descriptor = self._socket.fileno()
        # Active from the first answer on, since each start costs a system call. An idle connection must not keep the
        # loop alive; a waiting greenlet does, by its timer.
        self._readable: Watcher = self._hub.loop.io(descriptor, READABLE, ref=False)
        self._writable: Watcher = self._hub.loop.io(descriptor, WRITABLE)
        self._watched = False
        #: The greenlet that waits for input.
        self._reading: Waiter[bool] | None = None
        self._look = KernelPoll()
        self._look.register(descriptor, select.POLLIN)

    def send(self, data: bytes, deadline: float) -> None:
        """See `Wire.send`."""
        remaining(deadline)
        sent = 0
        while sent < len(data):
            try:
                sent += self._socket.send(memoryview(data)[sent:] if sent else data)
            except BlockingIOError:
                self._wait_to_write(deadline)

    def receive(self, deadline: float) -> bytes:
        """See `Wire.receive`."""
        while True:
            self._wait_to_read(deadline)
            try:
                return self._socket.recv(READ_BYTES)
            except BlockingIOError:
                continue  # a report without input, which the kernel may make

    def quiet(self) -> bool:
        """See `Wire.quiet`."""
        return not self._look.poll(0)

    def acknowledged(self) -> int | None:
        """See `Wire.acknowledged`."""
        info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES_ACKED + 8)
        if len(info) < TCP_INFO_BYTES_ACKED + 8:
            return None  # this kernel does not count
        (count,) = struct.unpack_from("Q", info, TCP_INFO_BYTES_ACKED)
        return int(count) - 1  # our SYN is counted as one byte

    def close(self) -> None:
        """See `Wire.close`."""
        self._readable.close()
        self._writable.close()
        self._socket.close()

    def _wait_to_read(self, deadline: float) -> None:
        waiter: Waiter[bool] = Waiter(self._hub)
        self._reading = waiter
        try:
            if not self._watched:
                self._readable.start(self._on_input)
                self._watched = True
            self._wait(waiter, deadline)
        finally:
            self._reading = None

    def _on_input(self) -> None:
        """Wake the greenlet that waits. Without one stop watching, or the loop would report the input for ever."""
        if self._reading is None:
            self._readable.stop()
            self._watched = False
        else:
            self._reading.switch(True)

    def _wait_to_write(self, deadline: float) -> None:
        waiter: Waiter[bool] = Waiter(self._hub)
        try:
            self._writable.start(waiter.switch, True)
            self._wait(waiter, deadline)
        finally:
            self._writable.stop()

    def _wait(self, waiter: "Waiter[bool]", deadline: float) -> None:
        """Let other greenlets run until the waiter is switched to. Raises TimeoutError."""
        timer = self._hub.loop.timer(remaining(deadline))
        try:
            timer.start(waiter.switch, False)
            # After a long busy period the timer fires before input that has already come.
            if not waiter.get() and self.quiet():
                raise TimeoutError("not in time")
        finally:
            timer.close()


class TlsWire:
    """TLS. Acknowledged bytes cannot be counted here, so gevent's socket is used."""

    def __init__(self, opened: ssl.SSLSocket) -> None:
        self._socket = opened

    def send(self, data: bytes, deadline: float) -> None:
        """See `Wire.send`."""
        self._socket.settimeout(remaining(deadline))
        self._socket.sendall(data)

    def receive(self, deadline: float) -> bytes:
        """See `Wire.receive`."""
        self._socket.settimeout(remaining(deadline))
        received: bytes = self._socket.recv(READ_BYTES)
        return received

    def quiet(self) -> bool:
        """See `Wire.quiet`."""
        self._socket.settimeout(0)
        try:
            self._socket.recv(1)
        except ssl.SSLWantReadError:
            return True
        except OSError:
            return False
        return False

    def acknowledged(self) -> int | None:
        """See `Wire.acknowledged`."""
        return None

    def close(self) -> None:
        """See `Wire.close`."""
        self._socket.close()
