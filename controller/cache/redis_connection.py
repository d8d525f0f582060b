"""One connection to Redis that all greenlets of a thread share.

What they ask within one pass of the loop leaves in one write. Redis answers in the order it was asked, so a reply
goes to who has waited longest. A greenlet that has stopped waiting (its client hung up, its time was over) keeps its
place in that order, and its reply is dropped: nobody gets another one's.
"""

from collections import deque
from itertools import takewhile
from time import monotonic
from typing import Any

import hiredis
from gevent import get_hub, socket, ssl
from gevent.hub import Waiter

from controller.errors import CacheUnavailable

READ_BYTES = 1 << 16
#: Where so many came there may be more: TLS hands out no more at once.
RECORD_BYTES = 1 << 14
#: Before others have their turn: a reply may have megabytes.
READS = 16
#: Events of libev.
READABLE, WRITABLE = 1, 2
WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
#: What the parser gives until a reply is complete.
MORE = object()
#: In a timeout's time, at whether the server still answers.
LOOKS = 5
#: Looks after which a server that answers, but ever later, is given up with all that it still owes.
BEHIND = 10 * LOOKS
#: Seconds of silence after which the socket is asked whether the server has closed it.
IDLE = 0.01


class Connection:
    """Commands out, replies in. Time is counted in looks: that the process itself was busy is not the server's fault.

    Args:
        opened: what Redis answers on.
        timeout: seconds a greenlet waits for its reply, and in which a server that owes one has to say something.
    """

    def __init__(self, opened: socket.socket, timeout: float) -> None:
        opened.settimeout(0)
        self._socket = opened
        self._timeout = timeout
        self._reader = hiredis.Reader(notEnoughData=MORE)
        self._loop = loop = get_hub().loop
        # An idle connection keeps no loop going; a look, which somebody waits for, does.
        self._readable = loop.io(opened.fileno(), READABLE, ref=False)
        self._writable = loop.io(opened.fileno(), WRITABLE, ref=False)
        self._look = loop.timer(timeout / LOOKS, timeout / LOOKS)
        self._queued: list[bytes] = []
        self._leaving = memoryview(b"")
        self._owed: deque[tuple[Waiter[Any], int]] = deque()
        self._looks = self._heard = 0
        self._heard_at = monotonic()
        self.closed = False
        self._readable.start(self._gather)

    def ask(self, command: bytes) -> Any:
        """The reply to a command, packed; a refusal is a `hiredis.ReplyError` that is returned.

        Raises:
            CacheUnavailable: there is none in time. Nobody knows whether Redis has carried the command out.
        """
        if self.closed:
            raise CacheUnavailable("the connection is closed")
        waiter: Waiter[Any] = Waiter()
        if not self._queued:
            self._loop.run_callback(self._send)
        if not self._owed:
            self._look.start(self._watch)
        self._queued.append(command)
        self._owed.append((waiter, self._looks))
        return waiter.get()

    def usable(self) -> bool:
        """Whether the server has left it open, as far as can be known without asking the server."""
        # Of what happens to an idle connection the loop tells, but perhaps it has not come to it yet.
        if not self._owed and monotonic() - self._heard_at > IDLE:
            self._receive()
        return not self.closed

    def close(self, reason: str) -> None:
        """Ends it; who still waits gets CacheUnavailable."""
        if self.closed:
            return
        self.closed = True
        for watcher in (self._readable, self._writable, self._look):
            watcher.stop()
            watcher.close()
        self._socket.close()
        self._tell([waiter for waiter, _ in self._owed], reason)
        self._owed.clear()
        self._queued.clear()

    def _send(self) -> None:
        """Hands to the kernel what it takes. What it has not taken stays the same bytes, as TLS wants it."""
        if self.closed:
            return
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
                return

    def _receive(self) -> bool:
        """Takes some of what has come; returns whether there may be more."""
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
                if not self._owed:
                    self.close("a reply that nobody waits for")
                    return
                waiter, _ = self._owed.popleft()
                self._loop.run_callback(waiter.switch, reply)
        except hiredis.ProtocolError as error:
            self.close(str(error))

    def _watch(self) -> None:
        """A look: who has waited too long is told, and a server that says nothing, or is far behind, is given up."""
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

    def _tell(self, waiters: "list[Waiter[Any]]", reason: str) -> None:
        for waiter in waiters:
            self._loop.run_callback(waiter.throw, CacheUnavailable(reason))
