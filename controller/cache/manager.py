"""CacheManager: what is kept, under which key and for how long (specification 4.5).

When the store is away every question has the answer "not kept", and the service goes on without it.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controller.cache.backend import Backend, Lookup, SessionEntry
from controller.errors import CacheUnavailable
from controller.metrics import MetricsCollector
from controller.models import ArtifactKey, Run, Session, canonical, now

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeptSession:
    """A session from the cache, with its counter."""

    session: Session | None
    """None: it ended, and nothing but its state is known."""
    state: str
    execution_count: int
    last_executed_at: datetime | None


class CacheManager:
    """Results, sessions, scripts and artifacts in the store.

    Args:
        backend: the store.
        ttl: seconds a result is kept when the client says nothing.
        scripts_ttl: seconds a script and an artifact are kept: as long as a session may live.
        metrics: told of every failure of the store.
    """

    def __init__(self, backend: Backend, ttl: int, scripts_ttl: int, metrics: MetricsCollector) -> None:
        self._backend = backend
        self._ttl = ttl
        self._scripts_ttl = scripts_ttl
        self._metrics = metrics

    def result_key(self, session: Session, params: Mapping[str, Any]) -> str:
        """The name of a result: all that the script's answer may depend on, and its owner."""
        parts = [
            session.user_id,
            session.name.language,
            session.script_hash,
            session.compile_options,
            session.context,
            params,
        ]
        return "result:" + hashlib.sha256(canonical(parts).encode()).hexdigest()

    def lookup(self, session: Session, result_key: str | None) -> tuple[str | None, Run | None]:
        """The session's state as every process sees it (None: not known here), and the kept result."""
        try:
            found = self._backend.lookup(_session_key(session.request_id), result_key, now())
        except CacheUnavailable as error:
            self._away("lookup", error)
            found = Lookup(None, None)
        return found.state, None if found.result is None else Run.from_json(found.result)

    def finish(self, session: Session, result_key: str, run: Run | None, max_age: int | None) -> None:
        """Counts an execution and keeps its result; `run` None: it failed, and nothing is kept."""
        value = None if run is None else run.to_json()
        ttl = self._ttl if max_age is None else max_age
        try:
            self._backend.finish(_session_key(session.request_id), result_key, value, ttl, now())
        except CacheUnavailable as error:
            self._away("finish", error)

    def put_session(
        self, session: Session, execution_count: int = 0, last_executed_at: datetime | None = None
    ) -> bool:
        """Keeps a session until it expires; False when the store is away."""
        entry = SessionEntry(session.status, session.to_json(), execution_count, last_executed_at)
        try:
            self._backend.put_session(_session_key(session.request_id), entry, session.expires_at)
        except CacheUnavailable as error:
            self._away("put_session", error)
            return False
        return True

    def session(self, request_id: str) -> KeptSession | None:
        """A session, if the store knows it."""
        try:
            entry = self._backend.session(_session_key(request_id))
        except CacheUnavailable as error:
            self._away("session", error)
            return None
        if entry is None:
            return None
        session = None if entry.record is None else Session.from_json(entry.record)
        return KeptSession(session, entry.state, entry.count, entry.last_executed_at)

    def end_session(self, session: Session, state: str) -> bool:
        """Ends a session for every process; False when the store is away."""
        try:
            self._backend.end_session(_session_key(session.request_id), state, session.expires_at)
        except CacheUnavailable as error:
            self._away("end_session", error)
            return False
        return True

    def script(self, script_hash: str) -> str | None:
        """A script's text."""
        kept = self._get(f"script:{script_hash}")
        return None if kept is None else kept.decode()

    def put_script(self, script_hash: str, content: str) -> None:
        self._set(f"script:{script_hash}", content.encode())

    def artifact(self, key: ArtifactKey) -> bytes | None:
        """A compiled artifact."""
        return self._get(_artifact_name(key))

    def put_artifact(self, key: ArtifactKey, artifact: bytes) -> None:
        self._set(_artifact_name(key), artifact)

    def available(self) -> bool:
        """Whether the store answers now."""
        try:
            self._backend.ping()
        except CacheUnavailable:
            return False
        return True

    def _get(self, key: str) -> bytes | None:
        try:
            return self._backend.get(key)
        except CacheUnavailable as error:
            self._away("get", error)
            return None

    def _set(self, key: str, value: bytes) -> None:
        try:
            self._backend.set(key, value, self._scripts_ttl)
        except CacheUnavailable as error:
            self._away("set", error)

    def _away(self, operation: str, error: CacheUnavailable) -> None:
        self._metrics.cache_failed(operation)
        log.warning("the cache is away: %s: %s", operation, error)


def _session_key(request_id: str) -> str:
    return f"session:{request_id}"


def _artifact_name(key: ArtifactKey) -> str:
    options = hashlib.sha256(key.compile_options.encode()).hexdigest()
    return f"artifact:{key.language}:{key.script_hash}:{options}"
