"""SessionManager: sessions in this process's memory, in Redis and in PostgreSQL (specification 4.2).

Memory knows the owner and the script of a session. Each use checks in Redis that the session is still alive, since
another process may have ended it; an execution makes that trip anyway. If Redis does not know the session, PostgreSQL
decides.
"""

from collections import OrderedDict
from functools import reduce

from controller.cache.manager import CacheManager
from controller.errors import NotFound, SessionEnded, StoreUnavailable
from controller.models.registered import Session
from controller.models.stored import Beginning, Ended, Held, NewSession
from controller.observability.metrics import MetricsCollector
from controller.registry.rows import SessionRows
from controller.registry.session_status import SessionStatus
from controller.registry.writes import initialization_writes, session_end_writes
from controller.request_log.writes import RequestLog, Write
from telemetry.tracing import UNTRACED, Tracer

CLEANING_BATCH = 1000
UNKNOWN = "there is no such session"


class SessionManager:
    """Creates, finds and ends sessions.

    Args:
        cache: the store that all processes share.
        rows: the permanent store.
        request_log: queues the rows that a request does not wait for.
        metrics: counts new and active sessions.
        size: most sessions in this process's memory.
        tracer: makes the spans of lookups.
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

    def begin(self, new: NewSession, most: Held) -> Beginning:
        """Begin a session with all its rows, unless its user has all that they may have.

        While PostgreSQL is away, the session lives in Redis, its rows are queued, and no bound holds.

        Args:
            new: the session.
            most: what its user may have. 0: no bound.

        Raises:
            StoreUnavailable: PostgreSQL and Redis are both away.
        """
        session = new.session
        try:
            made = self._rows.begin_session(new, most)
        except StoreUnavailable:
            if not self._cache.put_session(session):
                raise
            self._request_log.record(*initialization_writes(new))
            made = Beginning(Ended.BEGUN)
        else:
            if made.ended is not Ended.BEGUN:
                return made
            self._cache.put_session(session)
        self._remember(session)
        self._metrics.session_created(session.name.language)
        return made

    def create(self, session: Session, writes: list[Write]) -> None:
        """Begin a session. `writes` are its rows, in order.

        While PostgreSQL is away, the session lives in Redis and its rows are queued.

        Raises:
            StoreUnavailable: PostgreSQL and Redis are both away.
        """
        kept = self._cache.put_session(session)
        try:
            self._rows.write_together((write.query, write.parameters) for write in writes)
        except StoreUnavailable:
            if not kept:
                raise
            self._request_log.record(*writes)
        self._remember(session)
        self._metrics.session_created(session.name.language)

    def remembers(self, request_id: str) -> bool:
        """Return whether `get` finds the session in memory."""
        return request_id in self._memory

    def get(self, request_id: str, owner: str) -> Session:
        """Return the owner's live session. One from memory is not confirmed yet, see `confirm`.

        Raises:
            NotFound: the session is unknown, ended, expired, or another user's.
            StoreUnavailable: it is in neither memory nor Redis, and PostgreSQL is away.
        """
        with self._tracer.step("session lookup"):
            session = self._memory.get(request_id) or self._find(request_id)
        if session is None or session.user_id != owner or session.expired() or session.status != "active":
            raise _unknown()
        self._remember(session)
        return session

    def live(self, request_id: str, owner: str) -> Session:
        """Return the owner's live session, confirmed. Raises the errors of `get`."""
        session = self.get(request_id, owner)
        kept = self._cache.session(request_id)
        self.confirm(session, None if kept is None else kept.state)
        return session

    def confirm(self, session: Session, state: str | None) -> None:
        """Check that a session from memory is still alive.

        Args:
            session: the session.
            state: its state in Redis. None: Redis does not know it, so PostgreSQL is asked.

        Raises:
            NotFound: it has ended.
        """
        if state == "active":
            return
        if state is None:
            try:
                stored = self._stored(session.request_id)
            except StoreUnavailable:
                return
            # The session began while PostgreSQL was away: its row may still be queued.
            if stored is None or stored.status == "active":
                return
        self._memory.pop(session.request_id, None)
        raise SessionEnded(UNKNOWN)

    def state_of(self, request_id: str) -> tuple[Session | None, str | None]:
        """Return a session that may be there, and its state. No state: it is not known, or the stores are away."""
        kept = self._cache.session(request_id)
        if kept is not None:
            return kept.session, kept.state
        try:
            session = self._stored(request_id)
        except StoreUnavailable:
            session = None
        return session, None if session is None else session.status

    def end(self, session: Session, status: str) -> bool:
        """End a session in every process.

        Args:
            session: the session.
            status: `closed` after its only run, or `deleted` by its owner.

        Returns:
            Whether this call ended it. False: it had ended before.

        Raises:
            StoreUnavailable: PostgreSQL and Redis are both away.
        """
        self._memory.pop(session.request_id, None)
        if self._cache.end_session(session, status):
            self._request_log.record(*session_end_writes(session, status))
            return True
        return self._rows.end_session(session.request_id, status)

    def close(self, session: Session, state: str | None, *, shared: bool) -> None:
        """End a session that is not retained, after its first success.

        Args:
            session: the session.
            state: its state in Redis before Redis closed it. None: Redis did not know it.
            shared: the result is from another request's run, so that request may have closed it already.

        Raises:
            NotFound: another success was first.
        """
        self._memory.pop(session.request_id, None)
        first = state != "closed"
        if state == "active":
            self._request_log.record(*session_end_writes(session, "closed"))
        elif state is None:
            try:
                first = self.end(session, "closed")
            except StoreUnavailable:
                self._request_log.record(*session_end_writes(session, "closed"))
        if not first and not shared:
            raise _unknown()

    def describe(self, request_id: str, owner: str) -> SessionStatus:
        """Return the status of the owner's session, even if it is expired or closed.

        Raises:
            NotFound: the session is unknown, deleted, or another user's.
            StoreUnavailable: Redis does not know it, and PostgreSQL is away.
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
        """Delete long expired sessions and count the active ones, unless another process does.

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
        """Return the status from PostgreSQL. Raises StoreUnavailable."""
        # The count includes executions that this process has answered and not written yet.
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
        """Return a session from PostgreSQL. An active one is put back into Redis, with its counter."""
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
    return NotFound(UNKNOWN)
