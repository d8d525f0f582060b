"""SessionStatus: a session's state and counts, merged from Redis and PostgreSQL."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from controller.models.registered import Session, rfc3339
from controller.models.responses import SessionAnswer


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """A session with its state and counts."""

    session: Session
    state: str
    execution_count: int
    last_executed_at: datetime | None
    #: Executions in PostgreSQL that Redis did not count because it was away.
    uncounted: int = 0

    def merged(self, stored: "SessionStatus") -> "SessionStatus":
        """Merge this status, which is from Redis, with the stored one from PostgreSQL.

        An execution that Redis did not count is in PostgreSQL before its response is sent, so the sum is exact. The
        exception: if Redis has lost its data, PostgreSQL's count lacks the rows that are still queued.
        """
        return SessionStatus(
            self.session,
            stored.state if self.state == "active" else self.state,
            max(self.execution_count + stored.uncounted, stored.execution_count),
            max(filter(None, (self.last_executed_at, stored.last_executed_at)), default=None),
        )

    def document(self) -> SessionAnswer:
        """Return the status as the contract defines it."""
        session, last = self.session, self.last_executed_at
        return SessionAnswer(
            request_id=session.request_id,
            language_title=str(session.name),
            status=self._shown(),
            created_at=rfc3339(session.created_at),
            expires_at=rfc3339(session.expires_at),
            execution_count=self.execution_count,
            last_executed_at=None if last is None else rfc3339(last),
            compile_status=session.compile_status,
        )

    def _shown(self) -> Literal["active", "expired", "closed"]:
        if self.state != "active":
            return "closed"
        return "expired" if self.session.expired() else "active"
