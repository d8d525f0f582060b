"""MemoryTables: the double of `PostgresTables` in this process's memory, for tests and for use without a server.

It takes the same statements as `Postgres.write_together` and follows `queries.sql`; one contract suite holds both.
Its data ends with the process.
"""

import json
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from itertools import count, islice
from typing import Any, NamedTuple
from uuid import UUID

from controller.errors import StoreRejected
from controller.models.registered import ArtifactKey, LanguageTitle, Session, now
from controller.models.stored import FunctionFilter, Held, StoredFunction, StoredSession

#: How long an expired session can still be read.
KEPT_AFTER_EXPIRY = timedelta(days=1)
#: Most difference between the clocks of controllers. Within it, the last write wins.
CLOCK_SKEW = timedelta(seconds=10)

FunctionKey = tuple[str | None, LanguageTitle]


class _Function(NamedTuple):
    id: int
    row: StoredFunction


class _Execution(NamedTuple):
    session_id: str
    created_at: datetime
    counted: bool


@dataclass
class _State:
    """All rows. Rows are immutable, so a copy of the dictionaries is a snapshot."""

    scripts: dict[str, str] = field(default_factory=dict)
    artifacts: dict[ArtifactKey, bytes] = field(default_factory=dict)
    functions: dict[FunctionKey, _Function] = field(default_factory=dict)
    #: Function and version to the time of the function's deletion.
    versions: dict[tuple[int, int], datetime | None] = field(default_factory=dict)
    sessions: dict[str, StoredSession] = field(default_factory=dict)
    #: Ends of sessions with rows that are not written yet.
    ends: dict[str, str] = field(default_factory=dict)
    executions: dict[UUID, _Execution] = field(default_factory=dict)

    def copy(self) -> "_State":
        return _State(*(getattr(self, one.name).copy() for one in fields(self)))

    def require_script(self, script_hash: str) -> None:
        """Raise StoreRejected if the script of a row is missing."""
        if script_hash not in self.scripts:
            raise StoreRejected(f"there is no script {script_hash}")


class MemoryTables:
    """Sessions, functions, scripts and artifacts in dictionaries."""

    def __init__(self) -> None:
        self._state = _State()
        self._function_ids = count()

    def available(self) -> bool:
        """Return True: memory always answers."""
        return True

    def write_together(self, statements: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
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

    def function(self, name: LanguageTitle, owner: str) -> tuple[StoredFunction, str] | None:
        """See `FunctionRows.function`."""
        found = self._state.functions.get((owner, name)) or self._state.functions.get((None, name))
        return None if found is None else (found.row, self._state.scripts[found.row.script_hash])

    def function_hash(self, name: LanguageTitle, owner: str) -> str | None:
        """See `FunctionRows.function_hash`."""
        found = self._state.functions.get((owner, name))
        return None if found is None else found.row.script_hash

    def functions(self, owner: str, chosen: FunctionFilter, most: int, skipped: int) -> list[StoredFunction]:
        """See `FunctionRows.functions`."""
        return self._visible(owner, chosen)[skipped : skipped + most]

    def count_functions(self, owner: str, chosen: FunctionFilter) -> int:
        """See `FunctionRows.count_functions`."""
        return len(self._visible(owner, chosen))

    def delete_function(self, name: LanguageTitle, owner: str) -> bool:
        """See `FunctionRows.delete_function`."""
        gone = self._state.functions.pop((owner, name), None)
        if gone is None:
            return False
        versions = self._state.versions
        versions.update({key: now() for key in versions if key[0] == gone.id})
        return True

    def delete_old_versions(self, days: int, batch: int) -> int:
        """See `FunctionRows.delete_old_versions`."""
        versions, before = self._state.versions, now() - timedelta(days=days)
        gone = list(islice((key for key, ended in versions.items() if ended and ended < before), batch))
        for key in gone:
            del versions[key]
        return len(gone)

    def held_by_user(self, owner: str, other_than: LanguageTitle, most: Held) -> Held:
        """See `HeldByUser.held_by_user`."""
        state = self._state
        sessions = sum(_live(one) and one.session.user_id == owner for one in state.sessions.values())
        functions = sum(user == owner and name != other_than for user, name in state.functions)
        return Held(min(sessions, most.sessions), min(functions, most.functions))

    def script(self, script_hash: str) -> str | None:
        """See `ScriptRows.script`."""
        return self._state.scripts.get(script_hash)

    def artifact(self, key: ArtifactKey) -> bytes | None:
        """See `ScriptRows.artifact`."""
        return self._state.artifacts.get(key)

    def _visible(self, owner: str, chosen: FunctionFilter) -> list[StoredFunction]:
        """Return the functions that the owner sees, by name. The owner's functions hide predefined ones."""
        functions = self._state.functions
        seen = [
            one.row
            for (user, name), one in functions.items()
            if user == owner or (user is None and (owner, name) not in functions)
        ]
        return sorted(
            (one for one in seen if _chosen(one, chosen)), key=lambda one: (one.name.language, one.name.title)
        )

    def _put_script(self, script_hash: str, script_content: str) -> None:
        self._state.scripts.setdefault(script_hash, script_content)

    def _put_artifact(self, script_hash: str, language: str, compile_options: str, artifact: str) -> None:
        self._state.require_script(script_hash)
        key = ArtifactKey(script_hash, language, compile_options)
        self._state.artifacts.setdefault(key, b64decode(artifact))

    def _put_function(
        self, user_id: str, language: str, title: str, script_hash: str, compile_options: str, updated_at: str
    ) -> None:
        moment, name = datetime.fromisoformat(updated_at), LanguageTitle(language, title)
        known = self._state.functions.get((user_id, name))
        if known and known.row.updated_at > moment and moment <= now() - CLOCK_SKEW:
            return
        self._put(
            StoredFunction(
                name=name,
                user_id=user_id,
                description="",
                version=_version(known, script_hash),
                script_hash=script_hash,
                compile_options=json.loads(compile_options),
                schema={},
                examples=[],
                tags=[],
                created_at=known.row.created_at if known else moment,
                updated_at=max(moment, known.row.updated_at) if known else moment,
            )
        )

    def _put_predefined_function(
        self, language: str, title: str, script_hash: str, *, schema: str, examples: str, **texts: Any
    ) -> None:
        name, moment = LanguageTitle(language, title), now()
        known = self._state.functions.get((None, name))
        row = StoredFunction(
            name=name,
            user_id=None,
            version=_version(known, script_hash),
            script_hash=script_hash,
            compile_options={},
            schema=json.loads(schema),
            examples=json.loads(examples),
            created_at=known.row.created_at if known else moment,
            updated_at=known.row.updated_at if known else moment,
            **texts,
        )
        if known is None or row != known.row:
            self._put(replace(row, updated_at=moment))

    def _put(self, row: StoredFunction) -> None:
        self._state.require_script(row.script_hash)
        known = self._state.functions.get((row.user_id, row.name))
        one = _Function(next(self._function_ids) if known is None else known.id, row)
        self._state.functions[row.user_id, row.name] = one
        self._state.versions.setdefault((one.id, row.version), None)

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

    def _write_requests(self, rows: str) -> None:
        for row in json.loads(rows):
            key, moment = UUID(row["id"]), datetime.fromisoformat(row["created_at"])
            if not row["executed"] or row.get("session_id") is None or key in self._state.executions:
                continue
            one = _Execution(row["session_id"], moment, row["counted"])
            self._state.executions[key] = one
            if (stored := self._state.sessions.get(one.session_id)) is not None:
                self._state.sessions[one.session_id] = _counted(stored, one)

    def _skip(self, **_: Any) -> None:
        """Do nothing: errors are not kept, and a single process needs no lock."""


_STATEMENTS: Mapping[str, Callable[..., object]] = {
    "lock_log": MemoryTables._skip,
    "put_script": MemoryTables._put_script,
    "put_artifact": MemoryTables._put_artifact,
    "put_function": MemoryTables._put_function,
    "put_predefined_function": MemoryTables._put_predefined_function,
    "put_session": MemoryTables._put_session,
    "end_session": MemoryTables.end_session,
    "write_requests": MemoryTables._write_requests,
    "write_errors": MemoryTables._skip,
}


def _live(stored: StoredSession) -> bool:
    return stored.session.status == "active" and not stored.session.expired()


def _chosen(one: StoredFunction, chosen: FunctionFilter) -> bool:
    values = one.name.language, one.user_id, one.type
    return all(wanted in (None, value) for wanted, value in zip(chosen, values, strict=True))


def _version(known: _Function | None, script_hash: str) -> int:
    return 1 if known is None else known.row.version + (known.row.script_hash != script_hash)


def _counted(stored: StoredSession, ran: _Execution) -> StoredSession:
    last = max(filter(None, (stored.last_executed_at, ran.created_at)))
    uncounted = stored.uncounted + (not ran.counted)
    return StoredSession(stored.session, stored.execution_count + 1, uncounted, last)
