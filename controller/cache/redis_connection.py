"""Connection: one connection to Redis that all greenlets of a thread share.

Commands of one pass of the event loop are sent in one write. Redis replies in the order of the commands, so each
reply belongs to the greenlet that has waited longest. A greenlet that stopped waiting (its client hung up, or its
timeout passed) keeps its place in the order and its reply is dropped. So no greenlet gets another's reply.
"""

from collections import deque
from collections.abc import Callable
from itertools import takewhile
from time import monotonic
from typing import Any, Protocol

import hiredis
from gevent import get_hub, socket, ssl
from gevent.hub import Waiter

from controller.errors import CacheUnavailable

READ_BYTES = 1 << 16
#: Bytes of one read. If a read is full, there may be more: TLS returns at most one record.
RECORD_BYTES = 1 << 14
#: Reads in a row before other greenlets run. A reply may have megabytes.
READS = 16
#: Event flags of libev.
READABLE, WRITABLE = 1, 2
WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
#: The parser's result while a reply is incomplete.
MORE = object()
#: Checks for an answering server per timeout.
LOOKS = 5
#: Checks after which a server that keeps falling behind is dropped.
BEHIND = 10 * LOOKS
#: Seconds between two receptions of messages that are no replies: many cost little more than one.
REST = 0.02
#: Seconds that a command which nothing waits for stays, unless another one takes it along.
LATER = 0.002
#: Seconds of silence after which `usable` checks the socket itself.
IDLE = 0.01


class Receiver(Protocol):
    """Gets one reply, as gevent's `Waiter` does."""

    def switch(self, reply: Any, /) -> object:
        """Take the reply."""

    def throw(self, error: CacheUnavailable, /) -> object:
        """Take the reason why there is no reply in time."""


class Connection:
    """Sends commands and receives replies.

    Time is counted in checks, so that a busy period of this process does not count against the server.

    Args:
        opened: the connected socket.
        timeout: seconds that a greenlet waits for its reply, and that a server may be silent while it owes one.
        told: called with messages that are no replies. Replies of such a connection are delivered in place, in their
            order among the messages.
    """

    def __init__(
        self, opened: socket.socket, timeout: float, told: Callable[[list[Any]], None] | None = None
    ) -> None:
        opened.settimeout(0)
        self._socket = opened
        self._timeout = timeout
        self._told = told
        self._reader = hiredis.Reader(notEnoughData=MORE)
        self._loop = loop = get_hub().loop
        # An idle connection does not keep the loop alive. A check does, since a greenlet waits.
        self._readable = loop.io(opened.fileno(), READABLE, ref=False)
        self._writable = loop.io(opened.fileno(), WRITABLE, ref=False)
        self._look = loop.timer(timeout / LOOKS, timeout / LOOKS)
        self._later = loop.timer(0.0, LATER)
        self._rest = loop.timer(0.0, REST, ref=False) if told is not None else None
        self._queued: list[bytes] = []
        self._leaves = False  # with the next pass of the loop
        self._leaving = memoryview(b"")
        self._owed: deque[tuple[Receiver, int]] = deque()
        self._looks = self._heard = 0
        self._heard_at = monotonic()
        self.closed = False
        self._readable.start(self._gather)

    def ask(self, command: bytes) -> Any:
        """Send an encoded command and return the reply. A refusal is returned as a `hiredis.ReplyError`.

        Raises:
            CacheUnavailable: no reply came in time. It is unknown whether Redis has executed the command.
        """
        waiter: Waiter[Any] = Waiter()
        self.post(command, waiter)
        return waiter.get()

    def post(self, command: bytes, receiver: Receiver, *, later: bool = False) -> None:
        """Send an encoded command with the next others. The receiver gets the reply, or CacheUnavailable.

        Args:
            command: the command.
            receiver: gets the reply.
            later: whether it may wait for the next command, though not for longer than LATER. Its reply then comes
                with the next one's: a busy process sends and receives once for both.

        Raises:
            CacheUnavailable: the connection is closed.
        """
        if self.closed:
            raise CacheUnavailable("the connection is closed")
        if later:
            if not self._queued:
                self._later.again(self._send)
        elif not self._leaves:
            self._leaves = True
            self._loop.run_callback(self._send)
        if not self._owed:
            self._look.start(self._watch)
        self._queued.append(command)
        self._owed.append((receiver, self._looks))

    def exchange(self) -> None:
        """Send what is queued and receive what is there, without waiting for the loop."""
        self._send()
        while not self.closed and self._receive():
            pass

    def usable(self) -> bool:
        """Return whether the connection seems open, without a trip to the server."""
        # The loop reports a closed connection, but perhaps has not run yet.
        if not self._owed and monotonic() - self._heard_at > IDLE:
            self._receive()
        return not self.closed

    def close(self, reason: str) -> None:
        """Close the connection. Greenlets that still wait get CacheUnavailable."""
        if self.closed:
            return
        self.closed = True
        for watcher in filter(None, (self._readable, self._writable, self._look, self._later, self._rest)):
            watcher.stop()
            watcher.close()
        self._socket.close()
        self._tell([waiter for waiter, _ in self._owed], reason)
        self._owed.clear()
        self._queued.clear()

    def _send(self) -> None:
        """Send what the kernel takes. The rest stays the same bytes object, as TLS requires."""
        self._leaves = False
        if self.closed:
            return
        self._later.stop()
        while self._leaving or self._queued:
            if not self._leaving:
                self._leaving = memoryview(b"".join(self._queued))
                self._queued.clear()
            try:
                self._leaving = self._leaving[self._socket.send(self._leaving) :]
            except WOULD_BLOCK:
                self._writable.start(self._send)
                return
            except OSError as error:
                self.close(str(error))
                return
        self._writable.stop()

    def _gather(self) -> None:
        for _ in range(READS):
            if not self._receive():
                break
        if self._rest is not None and not self.closed:
            self._readable.stop()
            self._rest.again(self._listen)

    def _listen(self) -> None:
        if self._rest is not None:
            self._rest.stop()
        self._readable.start(self._gather)

    def _receive(self) -> bool:
        """Read some bytes. Return whether there may be more."""
        try:
            received = self._socket.recv(READ_BYTES)
        except WOULD_BLOCK:
            return False
        except OSError as error:
            self.close(str(error))
            return False
        if not received:
            self.close("the connection was closed")
            return False
        self._heard, self._heard_at = self._looks, monotonic()
        self._reader.feed(received)
        self._deliver()
        return not self.closed and len(received) >= RECORD_BYTES

    def _deliver(self) -> None:
        try:
            while (reply := self._reader.gets()) is not MORE:
                if self._told is not None and isinstance(reply, hiredis.PushNotification):
                    self._told(reply)
                    continue
                if not self._owed:
                    self.close("a reply without a command")
                    return
                receiver, _ = self._owed.popleft()
                if self._told is None:
                    self._loop.run_callback(receiver.switch, reply)
                else:
                    receiver.switch(reply)
        except hiredis.ProtocolError as error:
            self.close(str(error))

    def _watch(self) -> None:
        """Make one check: end waits that are too long, and drop a server that is silent or too far behind."""
        while self._receive():
            pass
        self._looks += 1
        if self.closed:
            return
        if not self._owed:
            self._look.stop()
            return
        late = [waiter for waiter, _ in takewhile(lambda owed: self._looks - owed[1] > LOOKS, self._owed)]
        oldest = self._owed[0][1]
        if self._looks - max(oldest, self._heard) > LOOKS or self._looks - oldest > BEHIND:
            self.close(f"no answer within {self._timeout:g} s")
        else:
            self._tell(late, f"no answer within {self._timeout:g} s")

    def _tell(self, waiters: list[Receiver], reason: str) -> None:
        for waiter in waiters:
            self._loop.run_callback(waiter.throw, CacheUnavailable(reason))
