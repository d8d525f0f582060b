"""Tracking: a second connection to Redis, on which Redis reports every change of results and sessions.

The connection asks for all changes of keys with certain prefixes (`CLIENT TRACKING ... BCAST`), so it does not matter
which connection reads or writes them. See docs/adr/0028.
"""

import logging
from collections.abc import Callable
from typing import Any

import gevent
import hiredis
from gevent.event import Event

from controller.cache.near_copy import PREFIXES, NearCopy
from controller.cache.redis_connection import Connection
from controller.cache.redis_url import RedisAddress, encode
from controller.errors import CacheUnavailable

log = logging.getLogger(__name__)

#: Longest time in seconds by which the copy may lag behind Redis.
LAG = 0.05
#: Seconds between two pings while the copy is asked.
INTERVAL = 0.015
#: Seconds between two looks for the answer to a ping.
LOOK = 0.0005
#: Seconds without a new attempt after the connection broke.
PAUSE = 1.0
HELLO: tuple[str, ...] = ("HELLO", "3")
TRACK: tuple[str, ...] = (
    *("CLIENT", "TRACKING", "ON", "BCAST"),
    *(word for prefix in PREFIXES for word in ("PREFIX", prefix)),
)
PING = encode(("PING",))


class Tracking:
    """Keeps a copy right while it is asked. An idle process sends nothing.

    Redis reports changes in the order of its answers on this connection, but a change at the moment of a ping perhaps
    after the answer to it. So two answers in a row prove that the copy has all changes before the first of the two
    pings.

    The copy's callers ping and look for the answer themselves. A greenlet would get its turn once in a pass of the
    event loop, which in a busy process takes about as long as LAG.

    Args:
        url: see `RedisAddress`.
        timeout: seconds to wait for a connection and for a reply.
        copy: the copy.
        opened: returns how many connections for data were opened so far. Each may lead to another server, so this
            connection is then opened anew, too.
    """

    def __init__(self, url: str, timeout: float, copy: NearCopy, opened: Callable[[], int]) -> None:
        self._address = RedisAddress(url)
        self._timeout = timeout
        self._copy = copy
        self._opened = opened
        self._connection: Connection | None = None
        #: Of `opened`, when the connection was opened.
        self._generation = 0
        self._wanted = Event()
        #: When the last ping and the one before it were sent, and whether the last one is unanswered.
        self._sent = self._before = 0.0
        self._owed = False
        self._reason = ""
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        """Start, unless there is no copy."""
        if self._copy.enabled:
            self._copy.look, self._copy.look_at = self._look, 0.0
            self._greenlet = gevent.spawn(self._follow_for_ever)

    def close(self) -> None:
        """Stop. The copy is empty then."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def switch(self, reply: Any, /) -> None:
        """Take the answer to a ping."""
        self._owed = False
        if isinstance(reply, hiredis.ReplyError):
            self._drop(str(reply))
            return
        self._copy.right_until = self._before + LAG
        self._copy.look_at = self._sent + INTERVAL

    def throw(self, error: CacheUnavailable, /) -> None:
        """Take the reason why a ping was not answered."""
        self._drop(str(error))

    def _look(self, now: float) -> None:
        """Send a ping or receive the answer to one, without waiting."""
        self._copy.look_at = now + LOOK
        connection = self._connection
        if connection is None or connection.closed:
            self._copy.look_at = now + LAG
            self._wanted.set()
        elif self._owed:
            connection.exchange()
        elif max(1, self._opened()) != self._generation:
            self._drop("the connection for data was opened anew")
        else:
            self._owed = True
            self._before, self._sent = self._sent, now
            connection.post(PING, self)
            connection.exchange()

    def _drop(self, reason: str) -> None:
        self._copy.right_until = 0.0
        if self._connection is not None:
            self._connection.close(reason)
        self._reason = reason
        self._wanted.set()

    def _follow_for_ever(self) -> None:
        complaint = ""
        while True:
            self._wanted.wait()
            self._reason = ""
            try:
                self._follow()
            except (OSError, hiredis.ProtocolError, CacheUnavailable) as error:
                self._reason = str(error)
            if self._reason != complaint:
                log.warning("no copies of results are kept for a while: %s", self._reason)
            complaint = self._reason
            gevent.sleep(PAUSE)

    def _follow(self) -> None:
        """Follow the changes until the connection breaks. Raises OSError, ProtocolError or CacheUnavailable."""
        generation = max(1, self._opened())
        connection = Connection(self._address.connect(self._timeout), self._timeout, self._told)
        try:
            for name, *arguments in (HELLO, TRACK):
                reply = connection.ask(encode((name, *arguments)))
                if isinstance(reply, hiredis.ReplyError):
                    raise CacheUnavailable(f"{name}: {reply}")
            self._copy.open()
            self._generation, self._owed, self._sent = generation, False, 0.0
            self._connection = connection
            while not connection.closed:
                self._wanted.clear()
                self._wanted.wait()
        finally:
            self._connection = None
            self._copy.close()
            connection.close("the copy of results is closed")

    def _told(self, message: list[object]) -> None:
        kind, *keys = message
        if kind != b"invalidate":
            return
        changed = keys[0]
        if isinstance(changed, list):
            for key in changed:
                # Keys of another program may be no text. Ours are ASCII.
                self._copy.invalidated(key.decode(errors="replace"))
        else:
            # The whole database was emptied.
            self._copy.empty()
