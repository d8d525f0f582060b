"""SessionManager: sessions in this process's memory, in Redis and in PostgreSQL (specification 4.2).

Memory answers who a session belongs to and what it runs. Whether it is still alive is asked anew on each use, in the
one trip to Redis that an execution makes anyway: another process may have ended it. PostgreSQL is asked when Redis
does not know, and has the last word.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any, Protocol

from controller.cache.manager import CacheManager
from controller.errors import NotFound, StoreUnavailable
from controller.models.registered import Session
from controller.models.stored import StoredSession
from controller.observability.metrics import MetricsCollector
from controller.registry.session_status import SessionStatus
from controller.registry.writes import session_end_records
from controller.request_log.writes import Record, RequestLog
from telemetry.tracing import UNTRACED, Tracer

CLEANING_BATCH = 1000


class SessionRows(Protocol):
    """Where sessions last. Every method raises StoreUnavailable while it is away."""

    def write_together(self, statements: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Execute named statements, see `registry.writes`, all or none. Raises StoreRejected."""

    def session(self, request_id: str) -> StoredSession | None:
        """Return a session, ended and expired ones included."""

    def end_session(self, request_id: str, status: str) -> bool:
        """End a session, or note the end of one that is not written yet. Returns False if it had ended."""

    def delete_expired_sessions(self, batch: int) -> tuple[int, int] | None:
        """Delete up to `batch` sessions that expired more than a day ago.

        Returns:
            How many were deleted, and how many are active. None: another process is deleting.
        """


class SessionManager:
    """Creates, finds and ends sessions.

    Args:
        cache: the level that all processes share.
        rows: the level that lasts.
        request_log: writes what must not hold up a request.
        metrics: told of new and of active sessions.
        size: how many sessions this process remembers.
    """

    def __init__(
        self,
        cache: CacheManager,
        rows: SessionRows,
        request_log: RequestLog,
        metrics: MetricsCollector,
        size: int,
        tracer: Tracer = UNTRACED,
    ) -> None:
        self._cache = cache
        self._rows = rows
        self._request_log = request_log
        self._metrics = metrics
        self._size = size
        self._tracer = tracer
        self._memory: OrderedDict[str, Session] = OrderedDict()

    def create(self, session: Session, records: list[Record]) -> None:
        """Begins a session; `records` are its rows, in order.

        With PostgreSQL away the session lives in Redis, and its rows are queued.

        Raises:
            StoreUnavailable: PostgreSQL and Redis are both away.
        """
        kept = self._cache.put_session(session)
        try:
            self._rows.write_together((record.query, record.parameters) for record in records)
        except StoreUnavailable:
            if not kept:
                raise
            self._request_log.record(*records)
        self._remember(session)
        self._metrics.session_created(session.name.language)

    def remembers(self, request_id: str) -> bool:
        """Whether `get` needs no store."""
        return request_id in self._memory

    def get(self, request_id: str, owner: str) -> Session:
        """A session for use: alive, and `owner`'s. From memory it comes unconfirmed, see `confirm`.

        Raises:
            NotFound: it is unknown, ended, expired, or another user's.
            StoreUnavailable: nobody can say now.
        """
        with self._tracer.step("session lookup"):
            session = self._memory.get(request_id) or self._find(request_id)
        if session is None or session.user_id != owner or session.expired() or session.status != "active":
            raise _unknown()
        self._remember(session)
        return session

    def live(self, request_id: str, owner: str) -> Session:
        """A session that has been confirmed; raises as `get` does."""
        session = self.get(request_id, owner)
        kept = self._cache.session(request_id)
        self.confirm(session, None if kept is None else kept.state)
        return session

    def confirm(self, session: Session, state: str | None) -> None:
        """Makes sure that a session from memory is still alive.

        Args:
            state: what Redis says of it; None: it does not know, so PostgreSQL is asked.

        Raises:
            NotFound: it has ended meanwhile.
        """
        if state == "active":
            return
        if state is None:
            try:
                stored = self._stored(session.request_id)
            except StoreUnavailable:
                return
            # Begun while PostgreSQL was away: its row may still be queued.
            if stored is None or stored.status == "active":
                return
        self._memory.pop(session.request_id, None)
        raise _unknown()

    def end(self, session: Session, status: str) -> bool:
        """Ends a session in every process: `closed` after its one run, or `deleted` by its owner.

        Returns:
            Whether this has ended it; False: it had ended.

        Raises:
            StoreUnavailable: PostgreSQL and Redis are both away.
        """
        self._memory.pop(session.request_id, None)
        if self._cache.end_session(session, status):
            self._request_log.record(*session_end_records(session, status))
            return True
        return self._rows.end_session(session.request_id, status)

    def close(self, session: Session, state: str | None, *, shared: bool) -> None:
        """Ends a session that is not retained, after its first success.

        Args:
            state: what Redis said of it when it closed it; None: it did not know it.
            shared: the success is a twin's, so that somebody else may have closed it with the same one.

        Raises:
            NotFound: another success was first.
        """
        self._memory.pop(session.request_id, None)
        first = state != "closed"
        if state == "active":
            self._request_log.record(*session_end_records(session, "closed"))
        elif state is None:
            try:
                first = self.end(session, "closed")
            except StoreUnavailable:
                self._request_log.record(*session_end_records(session, "closed"))
        if not first and not shared:
            raise _unknown()

    def describe(self, request_id: str, owner: str) -> SessionStatus:
        """A session and how it fares, expired and closed ones included.

        Raises:
            NotFound: it is unknown, deleted, or another user's.
            StoreUnavailable: nobody can say now.
        """
        shared = self._shared_status(request_id)
        try:
            stored = self._stored_status(request_id)
        except StoreUnavailable:
            if shared is None:
                raise
            stored = None
        known = [status for status in (shared, stored) if status is not None]
        if not known or known[0].session.user_id != owner:
            raise _unknown()
        status = reduce(SessionStatus.merged, known)
        if status.state == "deleted":
            raise _unknown()
        return status

    def clean_up(self) -> int:
        """Deletes long expired sessions and counts the active ones, unless another process is doing so.

        Returns:
            How many were deleted.
        """
        deleted = batch = self._clean_up_batch()
        while batch == CLEANING_BATCH:
            batch = self._clean_up_batch()
            deleted += batch
        return deleted

    def _clean_up_batch(self) -> int:
        cleaned = self._rows.delete_expired_sessions(CLEANING_BATCH)
        if cleaned is None:
            return 0
        deleted, active = cleaned
        self._metrics.sessions_active(active)
        return deleted

    def _shared_status(self, request_id: str) -> SessionStatus | None:
        kept = self._cache.session(request_id)
        if kept is None or kept.session is None:
            return None
        return SessionStatus(kept.session, kept.state, kept.execution_count, kept.last_executed_at)

    def _stored_status(self, request_id: str) -> SessionStatus | None:
        """Raises StoreUnavailable."""
        # What this process has answered and not yet written belongs to the count.
        self._request_log.flush()
        stored = self._rows.session(request_id)
        if stored is None:
            return None
        counts = stored.execution_count, stored.last_executed_at, stored.uncounted
        return SessionStatus(stored.session, stored.session.status, *counts)

    def _find(self, request_id: str) -> Session | None:
        kept = self._cache.session(request_id)
        if kept is None:
            return self._stored(request_id)
        return kept.session if kept.state == "active" else None

    def _stored(self, request_id: str) -> Session | None:
        """A session from PostgreSQL; an active one is put back into Redis, with its counter."""
        stored = self._rows.session(request_id)
        if stored is None:
            return None
        session = stored.session
        if session.status == "active" and not session.expired() and self._cache.available():
            self._request_log.flush()
            written = self._rows.session(request_id) or stored
            counted = written.execution_count - written.uncounted
            self._cache.put_session(session, counted, written.last_executed_at)
        return session

    def _remember(self, session: Session) -> None:
        self._memory[session.request_id] = session
        self._memory.move_to_end(session.request_id)
        if len(self._memory) > self._size:
            self._memory.popitem(last=False)


def _unknown() -> NotFound:
    return NotFound("there is no such session")
