"""The same store in this process's memory: for one process alone, and for tests that need no server."""

from datetime import UTC, datetime, timedelta

from controller.cache.backend import Lookup, SessionEntry, entry_fields, entry_of


class MemoryBackend:
    """Bytes and sessions in dictionaries; what has expired is dropped when it is met."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[datetime, bytes]] = {}
        self._sessions: dict[str, tuple[datetime, dict[str, str]]] = {}

    def get(self, key: str) -> bytes | None:
        expires_at, value = self._values.get(key, (None, None))
        if expires_at is not None and expires_at <= datetime.now(UTC):
            del self._values[key]
            return None
        return value

    def set(self, key: str, value: bytes, ttl: int) -> None:
        self._values[key] = datetime.now(UTC) + timedelta(seconds=ttl), value

    def lookup(self, session: str, result: str | None, now: datetime) -> Lookup:
        fields = self._fields(session)
        state = fields.get("state")
        if state != "active" or result is None:
            return Lookup(state, None)
        value = self.get(result)
        if value is not None:
            _count(fields, now)
        return Lookup(state, value)

    def finish(self, session: str, result: str, value: bytes | None, ttl: int, now: datetime) -> None:
        fields = self._fields(session)
        if fields:
            _count(fields, now)
        if value is not None and ttl > 0:
            self.set(result, value, ttl)

    def put_session(self, session: str, entry: SessionEntry, expires_at: datetime) -> None:
        fields = self._fields(session)
        self._sessions[session] = expires_at, {**entry_fields(entry), **fields}
        if entry.record is not None:
            self._sessions[session][1]["record"] = entry.record

    def session(self, session: str) -> SessionEntry | None:
        return entry_of(self._fields(session))

    def end_session(self, session: str, state: str, expires_at: datetime) -> None:
        self._sessions[session] = expires_at, {**self._fields(session), "state": state}

    def ping(self) -> None:
        """Memory always answers."""

    def _fields(self, session: str) -> dict[str, str]:
        expires_at, fields = self._sessions.get(session, (None, {}))
        if expires_at is not None and expires_at <= datetime.now(UTC):
            del self._sessions[session]
            return {}
        return fields


def _count(fields: dict[str, str], now: datetime) -> None:
    fields["count"] = str(int(fields.get("count", "0")) + 1)
    fields["last"] = now.isoformat()
