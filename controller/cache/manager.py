"""CacheManager: what is kept, under which key and for how long (specification 4.5).

When the store is away every question has the answer "not kept", and the service goes on without it.
"""

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any, Literal

from controller.cache.backend import Attempt, Backend, Begun, Finish, Quota, SessionEntry, Verdict, Window
from controller.cache.keys import Namer, artifact_name, catalog, session_key
from controller.cache.sliding_windows import Windows
from controller.errors import CacheUnavailable
from controller.models.outcome import Outcome
from controller.models.registered import ArtifactKey, Session, now
from controller.observability.metrics import MetricsCollector

log = logging.getLogger(__name__)

DROPPED_AT_ONCE = 1000
"""Results that go in one trip, which holds up everybody else's."""


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
        self._windows = Windows()
        self._namer = Namer()
        self._process = uuid.uuid4().hex
        self._numbers = count()

    def attempt(self, session: Session, params: Mapping[str, Any], *, reuse: bool, claim_ms: int) -> Attempt:
        """Names an execution, see `Namer`."""
        return Attempt(
            *self._namer.names(session, params),
            token=self.token(),
            claim_ms=claim_ms,
            reuse=reuse,
            once=not session.retain_session,
        )

    def token(self) -> str:
        """A name for whoever runs something now; no other process has its like."""
        return f"{self._process}/{next(self._numbers)}"

    def take(self, window: Window) -> Quota:
        """A place in a window; with the store away, in this process's own."""
        try:
            return self._backend.take(window)
        except CacheUnavailable as error:
            self._away("take", error)
            return self._windows.take(window)

    def begin(self, attempt: Attempt, window: Window | None, *, alive: bool) -> Begun:
        """An execution's start, see `Backend.begin`; with the store away the verdict is AWAY, or LIMITED."""
        try:
            return self._backend.begin(attempt, now(), window, alive=alive)
        except CacheUnavailable as error:
            self._away("begin", error)
        quota = None if window is None else self._windows.take(window)
        return Begun(Verdict.AWAY if quota is None or quota.allowed else Verdict.LIMITED, quota=quota)

    def finish(
        self,
        attempt: Attempt,
        outcome: Outcome,
        *,
        max_age: int | None = None,
        counts: bool = True,
        shared: bool = False,
    ) -> str | None:
        """An execution's end.

        Args:
            max_age: seconds to keep its result, where the caller has said so.
            counts: whether somebody is answered with it.
            shared: it waited for another one's run, which keeps the result itself.

        Returns:
            The session's state before; None: nobody counted, the store is away or does not know the session.
        """
        ttl = self._ttl if max_age is None else max_age
        closes: Literal["no", "first", "shared"] = "shared" if shared else "first"
        end = Finish(
            outcome.to_json() if not shared else b"",
            ttl=ttl if outcome.succeeded and not shared else 0,
            executed=counts and outcome.executed,
            closes=closes if counts and attempt.once and outcome.succeeded else "no",
        )
        try:
            return self._backend.finish(attempt, end, now())
        except CacheUnavailable as error:
            self._away("finish", error)
            return None

    def abandon(self, attempt: Attempt) -> bool:
        """Gives a run up, unless another process waits for it; returns whether it did."""
        try:
            return self._backend.abandon(attempt)
        except CacheUnavailable as error:
            self._away("abandon", error)
            return True

    def outcome(self, token: str, wait_ms: int) -> Outcome | None:
        """Waits for another process's outcome; None: it did not come, try again."""
        try:
            told = self._backend.reply(token, wait_ms)
        except CacheUnavailable as error:
            self._away("reply", error)
            return None
        return Outcome.from_json(told) if told else None

    def drop_results(self, owner: str, language: str, script_hash: str) -> None:
        """Forgets an owner's results of a script."""
        try:
            while (
                self._backend.drop(catalog(owner, language, script_hash), DROPPED_AT_ONCE) == DROPPED_AT_ONCE
            ):
                pass
        except CacheUnavailable as error:
            self._away("drop", error)

    def put_session(
        self, session: Session, execution_count: int = 0, last_executed_at: datetime | None = None
    ) -> bool:
        """Keeps a session until it expires; False when the store is away."""
        entry = SessionEntry(session.status, session.to_json(), execution_count, last_executed_at)
        try:
            self._backend.put_session(session_key(session.request_id), entry, session.expires_at)
        except CacheUnavailable as error:
            self._away("put_session", error)
            return False
        return True

    def session(self, request_id: str) -> KeptSession | None:
        """A session, if the store knows it."""
        try:
            entry = self._backend.session(session_key(request_id))
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
            self._backend.end_session(session_key(session.request_id), state, session.expires_at)
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
        return self._get(artifact_name(key))

    def put_artifact(self, key: ArtifactKey, artifact: bytes) -> None:
        self._set(artifact_name(key), artifact)

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
        log.warning("the cache is away: %s: %s", operation, error)
