"""SessionStatus: how a session fares, from what Redis and PostgreSQL know of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from controller.models.registered import Session, rfc3339
from controller.models.responses import SessionAnswer


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """A session and how it fares."""

    session: Session
    state: str
    execution_count: int
    last_executed_at: datetime | None
    #: Executions that Redis missed, being away, in PostgreSQL's count.
    uncounted: int = 0

    def merged(self, stored: "SessionStatus") -> "SessionStatus":
        """What Redis knows, with what PostgreSQL does.

        What Redis missed is in PostgreSQL before it is answered, so the sum is exact. It is too small only where
        Redis has lost its data; then PostgreSQL's count lacks no more than the rows that still wait to be written.
        """
        return SessionStatus(
            self.session,
            stored.state if self.state == "active" else self.state,
            max(self.execution_count + stored.uncounted, stored.execution_count),
            max(filter(None, (self.last_executed_at, stored.last_executed_at)), default=None),
        )

    def document(self) -> SessionAnswer:
        """As the contract writes it."""
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
