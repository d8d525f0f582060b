"""The connections to one address: kept alive, bounded, and closed unless they are surely idle."""

from time import monotonic

from gevent.lock import BoundedSemaphore

from controller.runtimes.transport.connection import Connection, Endpoint
from controller.runtimes.transport.failures import NoFreeConnection, NothingRan
from controller.runtimes.transport.messages import Answer, Budget, Request

#: Seconds an idle connection is kept: shorter than of-watchdog's and our own servers' patience.
IDLE_MAX = 10.0


class Pool:
    """Carries requests, each on a connection that is its own for as long as it takes.

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

    def exchange(self, request: Request, budget: Budget) -> Answer:
        """The answer, by the connection used last. Whatever ends it early, a killed greenlet too, closes that one.

        Raises:
            NoFreeConnection: there is none in time.
            RequestFailed: see `Connection`.
        """
        if not self._places.acquire(blocking=False):
            self._wait_for_place(budget.begun_by)
        try:
            connection = self._kept() or Connection(self._endpoint, budget.begun_by)
            try:
                return connection.exchange(request, budget)
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

    def _wait_for_place(self, deadline: float) -> None:
        if not self._places.acquire(timeout=max(0.0, deadline - monotonic())):
            raise NoFreeConnection(self._endpoint.address)

    def _kept(self) -> Connection | None:
        oldest = monotonic() - IDLE_MAX
        while self._idle:
            connection = self._idle.pop()
            if connection.idle_since > oldest and connection.quiet():
                return connection
            connection.close()
        return None

    def _take_back(self, connection: Connection) -> None:
        if connection.reusable:
            self.used_at = connection.idle_since
            self._idle.append(connection)
        else:
            self.used_at = monotonic()
            connection.close()
