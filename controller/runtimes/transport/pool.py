"""Pool: the ways to one address, frames and keep-alive connections, and the limit of calls."""

from time import monotonic

from gevent.lock import BoundedSemaphore

from controller.runtimes.transport.connection import Connection, Endpoint
from controller.runtimes.transport.failures import NoFreeConnection, NothingRan
from controller.runtimes.transport.frames import FrameLine
from controller.runtimes.transport.messages import Answer, Budget, Request

#: Seconds that an idle connection is kept: less than the idle timeouts of of-watchdog and of our servers.
IDLE_MAX = 10.0


class Pool:
    """Sends requests as frames on one connection, or by HTTP, each on a connection that it does not share.

    Args:
        address: base URL.
        size: most requests under way.
        frames: None: there are none.
    """

    def __init__(self, address: str, size: int, frames: FrameLine | None = None) -> None:
        self._frames = frames
        self._endpoint = Endpoint(address)
        self._places = BoundedSemaphore(size)
        self._idle: list[Connection] = []
        self.used_at = monotonic()

    @property
    def unwilling(self) -> bool:
        """Whether the next request has to wait, or the runtime has said goodbye."""
        return self._places.locked() or (self._frames is not None and self._frames.left)

    def exchange(self, request: Request, budget: Budget) -> Answer:
        """Send a request as a frame, or on the most recently used connection, and return the answer.

        A request that ends early is cancelled, or closes its connection, also if its greenlet is killed.

        Raises:
            NoFreeConnection: none became free in time.
            RequestFailed: see `Connection`.
        """
        if not self._places.acquire(blocking=False):
            self._wait_for_place(budget.begun_by)
        try:
            frames = self._frames and self._frames.connection()
            if frames and frames.takes(request):
                self.used_at = monotonic()
                return frames.exchange(request, budget)
            connection = self._kept() or Connection(self._endpoint, budget.begun_by)
            try:
                return connection.exchange(request, budget)
            except NothingRan:
                self.close_idle()  # the others are as old, or the peer is away
                raise
            finally:
                self._take_back(connection)
        finally:
            self._places.release()

    def close_idle(self, older_than: float = 0.0) -> None:
        """Close connections that have been idle for `older_than` seconds."""
        oldest = monotonic() - older_than
        kept, self._idle = self._idle, []
        for connection in kept:
            if connection.idle_since > oldest:
                self._idle.append(connection)
            else:
                connection.close()

    def retire(self) -> None:
        """Close the connections when their requests are answered: no further ones come."""
        self.close_idle()
        if self._frames is not None:
            self._frames.retire()

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
