"""The connections to one address: kept alive, bounded, and closed unless they are surely idle."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from gevent.lock import BoundedSemaphore

from controller.transport.connection import Connection, Endpoint
from controller.transport.failures import NoFreeConnection, NothingRan

IDLE_MAX = 10.0
"""Seconds an idle connection is kept: shorter than of-watchdog's and our own servers' patience."""


class Pool:
    """Lends connections.

    Args:
        address: base URL.
        size: how many connections may be in use at once.
    """

    def __init__(self, address: str, size: int) -> None:
        self._endpoint = Endpoint(address)
        self._places = BoundedSemaphore(size)
        self._idle: list[Connection] = []
        self.used_at = monotonic()

    @property
    def full(self) -> bool:
        """Whether the next one has to wait."""
        return self._places.locked()

    @contextmanager
    def lease(self, start_by: float) -> Iterator[Connection]:
        """A connection for one exchange, used last first. Whatever ends it early, a greenlet killed too, closes it.

        Args:
            start_by: until when to wait and connect, on the monotonic clock.

        Raises:
            NoFreeConnection, NothingRan: there is none in time.
        """
        if not self._places.acquire(timeout=max(0.0, start_by - monotonic())):
            raise NoFreeConnection(self._endpoint.address)
        try:
            connection = self._kept() or Connection(self._endpoint, start_by)
            try:
                yield connection
            except NothingRan:
                self.close_idle()  # they are as old as this one, or the peer is away
                raise
            finally:
                self._take_back(connection)
        finally:
            self._places.release()

    def close_idle(self, older_than: float = 0.0) -> None:
        """Closes what has been idle for `older_than` seconds."""
        oldest = monotonic() - older_than
        kept, self._idle = self._idle, []
        for connection in kept:
            if connection.idle_since > oldest:
                self._idle.append(connection)
            else:
                connection.close()

    def _kept(self) -> Connection | None:
        oldest = monotonic() - IDLE_MAX
        while self._idle:
            connection = self._idle.pop()
            if connection.idle_since > oldest and connection.quiet():
                return connection
            connection.close()
        return None

    def _take_back(self, connection: Connection) -> None:
        self.used_at = monotonic()
        if connection.reusable:
            self._idle.append(connection)
        else:
            connection.close()
