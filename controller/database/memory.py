"""MemoryTables: the double of `PostgresTables` in this process's memory, for tests and for use without a server.

It takes the same statements as `Postgres.write_together` and follows `queries.sql`; one contract suite holds both.
Its data ends with the process.
"""

import json
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from controller.database.memory_functions import MemoryFunctions
from controller.database.memory_state import Execution
from controller.errors import StoreRejected
from controller.models.registered import ArtifactKey, LanguageTitle, Session, now
from controller.models.stored import Beginning, Ended, Held, NewSession, Statements, StoredSession

#: How long an expired session can still be read.
KEPT_AFTER_EXPIRY = timedelta(days=1)


class MemoryTables(MemoryFunctions):
    """Sessions, functions, scripts and artifacts in dictionaries."""

    def available(self) -> bool:
        """Return True: memory always answers."""
        return True

    def write_together(self, statements: Statements) -> None:
        """Execute named statements, all or none.

        Raises:
            StoreRejected: a statement is unknown, its parameters do not fit, or it refers to a missing row.
        """
        before = self._state
        self._state = before.copy()
        try:
            for name, parameters in statements:
                _STATEMENTS[name](self, **parameters)
        except (KeyError, TypeError, ValueError) as error:
            self._state = before
            raise StoreRejected(f"a statement does not fit: {error!r}") from error
        except StoreRejected:
            self._state = before
            raise

    def session(self, request_id: str) -> StoredSession | None:
        """See `SessionRows.session`."""
        return self._state.sessions.get(request_id)

    def begin_session(self, new: NewSession, most: Held) -> Beginning:
        """See `SessionRows.begin_session`."""
        session, script = new.session, new.script
        known = self.own_content(session.name, session.user_id) if new.registers else None
        if new.plain and known is not None and (known.schema or known.packages or known.environment):
            return Beginning(Ended.DIFFERS)
        held = self.held_by_user(session.user_id, session.name, Held(most.sessions or 1, most.functions or 1))
        functions_max = most.functions if new.registers and known is None else 0
        at_bound = 0 < most.sessions <= held.sessions + 1 or 0 < functions_max <= held.functions + 1
        if 0 < most.sessions <= held.sessions:
            return Beginning(Ended.SESSIONS, at_bound=True)
        if 0 < functions_max <= held.functions:
            return Beginning(Ended.FUNCTIONS, at_bound=True)
        self._put_script(script.hash, script.content)
        if new.artifact is not None:
            self._state.artifacts.setdefault(session.artifact_key, new.artifact)
        if new.registers:
            self.put_function(
                session.user_id,
                session.name.language,
                session.name.title,
                script.hash,
                json.dumps(dict(session.compile_options)),
                session.created_at.isoformat(),
                list(new.packages),
                session.environment,
            )
        self._state.sessions[session.request_id] = StoredSession(session, 0, 0, None)
        before = None if known is None or known.script_hash == script.hash else known.script_hash
        return Beginning(Ended.BEGUN, before, at_bound)

    def end_session(self, request_id: str, status: str) -> bool:
        """See `SessionRows.end_session`."""
        stored = self._state.sessions.get(request_id)
        if stored is None:
            first = request_id not in self._state.ends
            self._state.ends.setdefault(request_id, status)
            return first
        if stored.session.status != "active":
            return False
        self._state.sessions[request_id] = replace(stored, session=replace(stored.session, status=status))
        return True

    def delete_expired_sessions(self, batch: int) -> tuple[int, int] | None:
        """See `SessionRows.delete_expired_sessions`."""
        state, long_ago = self._state, now() - KEPT_AFTER_EXPIRY
        old = (key for key, stored in state.sessions.items() if stored.session.expires_at < long_ago)
        gone = set(islice(old, batch))
        for request_id in gone:
            del state.sessions[request_id]
        state.executions = {key: ran for key, ran in state.executions.items() if ran.session_id not in gone}
        return len(gone), sum(map(_live, state.sessions.values()))

    def held_by_user(self, owner: str, other_than: LanguageTitle, most: Held) -> Held:
        """See `HeldByUser.held_by_user`."""
        state = self._state
        sessions = sum(
            _live(one) and one.session.user_id == owner and request_id not in state.by_name
            for request_id, one in state.sessions.items()
        )
        functions = sum(user == owner and name != other_than for user, name in state.functions)
        return Held(min(sessions, most.sessions), min(functions, most.functions))

    def names_environment(self, owner: str, digest: str) -> bool:
        """See `EnvironmentOwners.names_environment`."""
        state = self._state
        ids = {one.id for (user, _), one in state.functions.items() if user == owner}
        return any(
            one.session.environment == digest and one.session.user_id == owner
            for one in state.sessions.values()
        ) or any(
            one.content.environment == digest and function_id in ids
            for (function_id, _), one in state.versions.items()
        )

    def script(self, script_hash: str) -> str | None:
        """See `ScriptRows.script`."""
        return self._state.scripts.get(script_hash)

    def artifact(self, key: ArtifactKey) -> bytes | None:
        """See `ScriptRows.artifact`."""
        return self._state.artifacts.get(key)

    def requests(self) -> Iterable[Mapping[str, Any]]:
        """Return the rows of the log, as `RequestRow` writes them."""
        return self._state.requests.values()

    def _put_script(self, script_hash: str, script_content: str) -> None:
        self._state.scripts.setdefault(script_hash, script_content)

    def _put_artifact(self, script_hash: str, language: str, compile_options: str, artifact: str) -> None:
        self._state.require_script(script_hash)
        key = ArtifactKey(script_hash, language, compile_options)
        self._state.artifacts.setdefault(key, b64decode(artifact))

    def _put_session(self, request_id: str, **columns: Any) -> None:
        state = self._state
        if request_id in state.sessions:
            return
        state.require_script(columns["script_hash"])
        documents = {name: json.loads(columns[name]) for name in ("compile_options", "context")}
        session = Session.from_record({"request_id": request_id, **columns, **documents})
        session = replace(session, status=state.ends.get(request_id, session.status))
        ran = [one for one in state.executions.values() if one.session_id == request_id]
        early = StoredSession(session, 0, 0, None)
        for one in ran:
            if one.created_at >= session.created_at:
                early = _counted(early, one)
        state.sessions[request_id] = early

    def _mark_session(self, request_id: str, by_name: bool, result_schema: str | None) -> None:
        stored = self._state.sessions[request_id]
        marked = replace(stored.session, result_schema=result_schema)
        self._state.sessions[request_id] = replace(stored, session=marked)
        if by_name:
            self._state.by_name.add(request_id)

    def _write_requests(self, rows: str) -> None:
        for row in json.loads(rows):
            key, moment = UUID(row["id"]), datetime.fromisoformat(row["created_at"])
            self._state.requests.setdefault(key, row | {"id": str(key)})
            if not row["executed"] or row.get("session_id") is None or key in self._state.executions:
                continue
            one = Execution(row["session_id"], moment, row["counted"])
            self._state.executions[key] = one
            if (stored := self._state.sessions.get(one.session_id)) is not None:
                self._state.sessions[one.session_id] = _counted(stored, one)

    def _skip(self, **_: Any) -> None:
        """Do nothing: errors are not kept, and a single process needs no lock."""


_STATEMENTS: Mapping[str, Callable[..., object]] = {
    "lock_log": MemoryTables._skip,
    "put_script": MemoryTables._put_script,
    "put_artifact": MemoryTables._put_artifact,
    "put_function": MemoryTables.put_function,
    "put_predefined_function": MemoryTables.put_predefined_function,
    "put_session": MemoryTables._put_session,
    "mark_session": MemoryTables._mark_session,
    "end_session": MemoryTables.end_session,
    "write_requests": MemoryTables._write_requests,
    "write_errors": MemoryTables._skip,
}


def _live(stored: StoredSession) -> bool:
    return stored.session.status == "active" and not stored.session.expired()


def _counted(stored: StoredSession, ran: Execution) -> StoredSession:
    last = max(filter(None, (stored.last_executed_at, ran.created_at)))
    uncounted = stored.uncounted + (not ran.counted)
    return StoredSession(stored.session, stored.execution_count + 1, uncounted, last)
