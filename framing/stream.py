"""FrameStream: one end of a connection that carries frames both ways.

Frames of one pass of the event loop leave in one write, and one read takes all that have come. It works in callbacks
of the loop; no greenlet belongs to it.
"""

import struct
from typing import Protocol

from gevent import get_hub, monkey, socket

from framing.codec import FrameError, FrameReader

#: Event flags of libev, for gevent's loop.
_READABLE, _WRITABLE = 1, 2
#: Seconds without progress after which a peer that does not read is dropped.
STALL_SECONDS = 30.0
#: Offset of `tcpi_bytes_acked`, 64 bits, in the kernel's `struct tcp_info` (linux/tcp.h).
_BYTES_ACKED = 120
#: Without gevent's monkey patch: this class is only used without waiting.
_KernelSocket: type[socket.socket] = monkey.get_original("socket", "socket")


class Owner(Protocol):
    """Who uses a stream. All is called in the loop, so it must not wait."""

    def take(self, kind: int, number: int, payload: bytes) -> None:
        """Take a frame. Raises FrameError if it makes no sense: the stream is closed."""

    def drained(self) -> None:
        """The kernel has taken all that was sent."""

    def lost(self, error: Exception) -> None:
        """The stream has ended: a FrameError if the peer broke the protocol, else an OSError."""


class FrameStream:
    """Sends and receives frames over a connected socket.

    Args:
        opened: The socket, which the stream takes over.
        payload_max_bytes: Largest payload to receive.
        owner: Takes the frames.

    Attributes:
        backlog: Bytes of frames that the kernel has not taken.
        blocked: Whether the kernel takes none now, since the peer does not read.
        closed: Whether it has ended.
    """

    def __init__(self, opened: socket.socket, payload_max_bytes: int, owner: Owner) -> None:
        self._socket = _KernelSocket(opened.family, opened.type, fileno=opened.detach())
        self._socket.setblocking(False)
        self._reader = FrameReader(payload_max_bytes)
        self._owner = owner
        self._loop = loop = get_hub().loop
        # An idle connection does not keep the loop alive.
        self._readable = loop.io(self._socket.fileno(), _READABLE, ref=False)
        self._writable = loop.io(self._socket.fileno(), _WRITABLE, ref=False)
        self._stall = loop.timer(0.0, STALL_SECONDS, ref=False)
        #: Frames that have not been handed to the kernel, by their token.
        self._queued: dict[int, bytes] = {}
        self._token = 0
        #: The batch that is being sent, or was sent last: its tokens, what is left of it, where it began.
        self._batch: range = range(0)
        self._leaving = memoryview(b"")
        self._begun_at = self._sent = self._seen = 0
        self._acknowledged: int | None = None
        self.blocked = False
        self.backlog = 0
        self.closed = False
        self._readable.start(self._receive)

    def allow(self, payload_max_bytes: int) -> None:
        """Set the largest payload from now on."""
        self._reader.payload_max_bytes = payload_max_bytes

    def send(self, frame: bytes) -> int:
        """Queue an encoded frame. Return its token. A closed stream drops it."""
        self._token += 1
        if not self.closed:
            if not self._queued and not self._leaving:
                self._loop.run_callback(self.flush)
            self._queued[self._token] = frame
            self.backlog += len(frame)
        return self._token

    def withdraw(self, token: int) -> bool:
        """Take a frame back that is still queued. Return whether it was."""
        frame = self._queued.pop(token, None)
        self.backlog -= len(frame or b"")
        return frame is not None

    def unread(self, token: int, reason: Exception) -> bool:
        """Return whether the peer certainly never had this frame, after the stream was lost for `reason`."""
        if token in self._queued:
            return True
        if token not in self._batch:
            return False
        last = token == self._batch[-1]
        if self._sent == self._begun_at or (last and self._leaving):
            return True
        # A peer that closes in order says how much it has received. That proves nothing for a frame with another
        # behind it. Nor does a reset: the kernel does not look at the number that it carries.
        return last and isinstance(reason, EOFError) and self._acknowledged == self._begun_at

    def flush(self) -> None:
        """Send what the kernel takes."""
        if self.closed:
            return
        while self._queued or self._leaving:
            if not self._leaving:
                self._next_batch()
            try:
                count = self._socket.send(self._leaving)
            except BlockingIOError:
                self._wait_for_room()
                return
            except OSError as error:
                self.close(error)
                return
            self._leaving = self._leaving[count:]
            self._sent += count
            self.backlog -= count
        if self.blocked:
            self.blocked = False
            self._writable.stop()
            self._stall.stop()
        self._owner.drained()

    def pause(self) -> None:
        """Read nothing until `resume`."""
        if not self.closed:
            self._readable.stop()

    def resume(self) -> None:
        """Read again."""
        if not self.closed:
            self._readable.start(self._receive)

    def receive(self) -> None:
        """Take what has come, if there is something. The loop does this by itself, but may not have run yet."""
        if not self.closed:
            self._receive()

    def close(self, reason: Exception) -> None:
        """Close the connection and tell the owner why."""
        if self.closed:
            return
        self.closed = True
        self._acknowledged = _acknowledged(self._socket)
        for watcher in (self._readable, self._writable, self._stall):
            watcher.stop()
            watcher.close()
        self._socket.close()
        self._owner.lost(reason)
        self._queued.clear()
        self._leaving = memoryview(b"")

    def _next_batch(self) -> None:
        first, last = next(iter(self._queued)), next(reversed(self._queued))
        self._batch = range(first, last + 1)
        self._leaving = memoryview(b"".join(self._queued.values()))
        self._queued.clear()
        self._begun_at = self._sent

    def _wait_for_room(self) -> None:
        if not self.blocked:
            self.blocked, self._seen = True, self._sent
            self._writable.start(self.flush)
            self._stall.again(self._check_progress)

    def _check_progress(self) -> None:
        if self._sent == self._seen:
            self.close(TimeoutError("the peer does not read"))
        self._seen = self._sent

    def _receive(self) -> None:
        try:
            count = self._socket.recv_into(self._reader.space())
            if not count:
                raise EOFError("the connection was closed")
            for kind, number, payload in self._reader.received(count):
                self._owner.take(kind, number, payload)
                if self.closed:
                    return
        except BlockingIOError:
            return
        except (OSError, EOFError, FrameError) as error:
            self.close(error)


def _acknowledged(opened: socket.socket) -> int | None:
    """Return how many bytes the peer's kernel has acknowledged. None: unknown, or no TCP."""
    try:
        info = opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED + 8)
    except OSError:
        return None
    if len(info) < _BYTES_ACKED + 8:
        return None
    (count,) = struct.unpack_from("Q", info, _BYTES_ACKED)
    return int(count) - 1  # our SYN is counted as one byte
