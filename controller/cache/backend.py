"""What the cache needs of a store: few operations, each one trip."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Lookup:
    """A session's state (None: the store does not know it) and the result that was asked for, if kept."""

    state: str | None
    result: bytes | None


@dataclass(frozen=True, slots=True)
class SessionEntry:
    """What the store holds of a session. A session that ended unseen has a state and no record."""

    state: str
    record: str | None
    count: int
    last_executed_at: datetime | None


class Backend(Protocol):
    """A store of bytes with times to live (seconds), and of sessions with exact counters.

    Every method raises CacheUnavailable when the store cannot be reached.
    """

    def get(self, key: str) -> bytes | None:
        """What was set, unless it has expired."""

    def set(self, key: str, value: bytes, ttl: int) -> None:
        """Keeps `value` for `ttl` seconds."""

    def lookup(self, session: str, result: str | None, now: datetime) -> Lookup:
        """The session's state, and the result unless None is asked for. A hit counts as an execution."""

    def finish(self, session: str, result: str, value: bytes | None, ttl: int, now: datetime) -> None:
        """Counts an execution, if the session is known, and keeps its result unless `value` is None."""

    def put_session(self, session: str, entry: SessionEntry, expires_at: datetime) -> None:
        """Keeps a session until `expires_at`. A state, count and time already there win over the entry's."""

    def session(self, session: str) -> SessionEntry | None:
        """What is kept of a session."""

    def end_session(self, session: str, state: str, expires_at: datetime) -> None:
        """Marks a session, known or not, so that nobody takes it up again before `expires_at`."""

    def ping(self) -> None:
        """Returns when the store answers."""


def entry_fields(entry: SessionEntry) -> Mapping[str, str]:
    """The parts of an entry that yield to what the store already has."""
    fields = {"state": entry.state, "count": str(entry.count)}
    if entry.last_executed_at is not None:
        fields["last"] = entry.last_executed_at.isoformat()
    return fields


def entry_of(fields: Mapping[str, str]) -> SessionEntry | None:
    """An entry from the fields a store kept."""
    if "state" not in fields:
        return None
    last = fields.get("last")
    return SessionEntry(
        state=fields["state"],
        record=fields.get("record"),
        count=int(fields.get("count", 0)),
        last_executed_at=datetime.fromisoformat(last) if last else None,
    )
