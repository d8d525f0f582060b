"""CacheManager: keys, values and lifetimes of the cache (specification 4.5).

While the store is away the service goes on without it: `unless_away` has the result of each method for that case.
"""

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from time import monotonic
from typing import Any, Literal

from controller.cache.backend import (
    Backend,
    BeginReply,
    BeginStatus,
    CountedLater,
    ExecutionKeys,
    Finish,
    KeyClaim,
    Quota,
    SessionEntry,
    Window,
)
from controller.cache.keys import (
    KeySet,
    ResultKeys,
    artifact_key,
    previous_key,
    results_index,
    script_key,
    session_key,
)
from controller.cache.near_copy import NearCopy
from controller.cache.near_hits import NearHits
from controller.cache.sliding_windows import Windows
from controller.cache.unless_away import unless_away
from controller.errors import CacheUnavailable
from controller.models.outcome import Outcome
from controller.models.registered import ArtifactKey, Session, now

log = logging.getLogger(__name__)

#: Results removed in one trip. All other trips wait for it.
DROP_BATCH = 1000


@dataclass(frozen=True, slots=True)
class KeptSession:
    """A session from the cache, with its counter."""

    #: None: only the state is known, because the session has ended.
    session: Session | None
    state: str
    execution_count: int
    last_executed_at: datetime | None


class CacheManager:
    """Results, sessions, scripts, artifacts and keys of executions in the store.

    Args:
        backend: the store.
        ttl: seconds that a result is kept, unless the client chooses.
        scripts_ttl: seconds that scripts and artifacts are kept: the lifetime of a session.
        near: begins executions. None: without a copy in this process.
    """

    def __init__(self, backend: Backend, ttl: int, scripts_ttl: int, near: NearHits | None = None) -> None:
        self._backend = backend
        self._near = near or NearHits(backend, NearCopy(0))
        self._ttl = ttl
        self._scripts_ttl = scripts_ttl
        self._previous_until = monotonic() + scripts_ttl
        self._windows = Windows()
        self._result_keys = ResultKeys()
        self._process = uuid.uuid4().hex
        self._numbers = count()

    def execution_keys(
        self,
        session: Session,
        params: Mapping[str, Any],
        *,
        reuse: bool,
        lease_ms: int,
        later: CountedLater | None = None,
        claims: bool = True,
    ) -> ExecutionKeys:
        """Return the keys, the token and the options of a new execution, see `ExecutionKeys`."""
        keys = self._result_keys.of(session, params)
        return ExecutionKeys(
            *keys,
            token=self.token(),
            lease_ms=lease_ms,
            reuse=reuse,
            once=not session.retain_session,
            later=later if session.retain_session else None,
            claims=claims,
            **self._before(keys),
        )

    def token(self) -> str:
        """Return a token for one run, unique among all processes."""
        return f"{self._process}/{next(self._numbers)}"

    def take(self, window: Window) -> Quota:
        """Take a slot in a window. While the store is away, each process has its own window."""
        try:
            return self._backend.take(window)
        except CacheUnavailable as error:
            log.warning("the cache is away: take: %s", error)
            return self._windows.take(window)

    def begin(self, keys: ExecutionKeys, window: Window | None, *, alive: bool) -> BeginReply:
        """Begin an execution, see `ExecutionStore.begin`. While the store is away: AWAY, or LIMITED."""
        try:
            return self._near.begin(keys, window, alive=alive)
        except CacheUnavailable as error:
            log.warning("the cache is away: begin: %s", error)
        quota = None if window is None else self._windows.take(window)
        return BeginReply(
            BeginStatus.AWAY if quota is None or quota.allowed else BeginStatus.LIMITED, quota=quota
        )

    @unless_away(None)
    def finish(
        self,
        keys: ExecutionKeys,
        outcome: Outcome,
        *,
        max_age: int | None = None,
        counts: bool = True,
        shared: bool = False,
    ) -> str | None:
        """End an execution.

        Args:
            keys: the keys of the execution.
            outcome: its result or error.
            max_age: seconds to keep the result, if the client has chosen them.
            counts: whether a request still waits for the outcome.
            shared: the execution followed another request's run, which stores the result.

        Returns:
            The session's state before; of an execution that is counted later, as it began. None: not counted, because
            the store is away or does not know the session.
        """
        ttl = self._ttl if max_age is None else max_age
        closes: Literal["no", "first", "shared"] = "shared" if shared else "first"
        end = Finish(
            outcome.to_json() if not shared else b"",
            ttl=ttl if outcome.succeeded and not shared else 0,
            executed=counts and outcome.executed,
            closes=closes if counts and keys.once and outcome.succeeded else "no",
        )
        try:
            return self._finish(keys, end)
        finally:
            if end.ttl:
                self._near.copy.forget(keys.result)

    @unless_away(True)
    def abandon(self, keys: ExecutionKeys) -> bool:
        """Give up a run, unless another process waits for it. Return whether it was given up."""
        return self._backend.abandon(keys)

    @unless_away(None)
    def outcome(self, token: str, wait_ms: int) -> Outcome | None:
        """Wait for an outcome from another process. None: it did not come in time."""
        reply = self._backend.reply(token, wait_ms)
        return Outcome.from_json(reply) if reply else None

    def reply(self, token: str, wait_ms: int) -> bytes | None:
        """Wait for the answer that another request keeps with `settle_key`. Raises CacheUnavailable."""
        return self._backend.reply(token, wait_ms)

    def claim_key(self, key: str, body: str, token: str, lease_ms: int) -> KeyClaim:
        """Claim an idempotency key, see `ExecutionStore.claim_key`. Raises CacheUnavailable."""
        # The previous key comes first: processes of both versions claim it.
        *earlier, current = self._versions(key)
        for former in earlier:
            if (claim := self._backend.claim_key(former, body, token, lease_ms)).status != "new":
                return claim
        claim = self._backend.claim_key(current, body, token, lease_ms)
        if claim.status != "new":
            for former in earlier:
                self._backend.settle_key(former, body, token, b"", 0)
        return claim

    @unless_away(None)
    def settle_key(self, key: str, body: str, token: str, answer: bytes, ttl: int) -> None:
        """Keep the answer under a claimed key. An empty answer frees the key."""
        # While the store is away nothing is kept: the client has its response and no reason to repeat.
        for version in self._versions(key):
            self._backend.settle_key(version, body, token, answer, ttl)

    @unless_away(None)
    def drop_results(self, owner: str, language: str, script_hash: str) -> None:
        """Remove an owner's results of a script."""
        index = results_index(owner, language, script_hash)
        try:
            while self._backend.drop(index, DROP_BATCH) == DROP_BATCH:
                pass
        finally:
            self._near.copy.empty()

    @unless_away(False)
    def put_session(
        self, session: Session, execution_count: int = 0, last_executed_at: datetime | None = None
    ) -> bool:
        """Keep a session until it expires. Return False while the store is away."""
        entry = SessionEntry(session.status, session.to_json(), execution_count, last_executed_at)
        self._backend.put_session(session_key(session.request_id), entry, session.expires_at)
        return True

    @unless_away(None)
    def session(self, request_id: str) -> KeptSession | None:
        """Return a session, if the store knows it."""
        key = session_key(request_id)
        self._near.tell(key)
        entry = self._entry(key)
        if entry is None:
            return None
        session = None if entry.record is None else Session.from_json(entry.record)
        return KeptSession(session, entry.state, entry.count, entry.last_executed_at)

    @unless_away(False)
    def end_session(self, session: Session, state: str) -> bool:
        """End a session for every process. Return False while the store is away."""
        current = session_key(session.request_id)
        try:
            for key in self._versions(current):
                self._backend.end_session(key, state, session.expires_at)
        finally:
            self._near.copy.forget(current)
        return True

    @unless_away(None)
    def script(self, script_hash: str) -> str | None:
        """Return a script's text, if it is kept."""
        kept = self._value(script_key(script_hash))
        return None if kept is None else kept.decode()

    @unless_away(None)
    def put_script(self, script_hash: str, content: str) -> None:
        """Keep a script's text."""
        self._backend.set(script_key(script_hash), content.encode(), self._scripts_ttl)

    @unless_away(None)
    def artifact(self, key: ArtifactKey) -> bytes | None:
        """Return a compiled artifact, if it is kept."""
        return self._value(artifact_key(key))

    @unless_away(None)
    def put_artifact(self, key: ArtifactKey, artifact: bytes) -> None:
        """Keep a compiled artifact."""
        self._backend.set(artifact_key(key), artifact, self._scripts_ttl)

    @unless_away(False)
    def available(self) -> bool:
        """Return whether the store answers now."""
        self._backend.ping()
        return True

    def _finish(self, keys: ExecutionKeys, end: Finish) -> str | None:
        if keys.later is None:
            return self._backend.finish(keys, end, now())
        keys.later.counting()
        try:
            self._backend.finish_later(keys, end, now())
        except CacheUnavailable:
            keys.later.counted(by_store=False)
            raise
        return "active"

    def _versions(self, key: str) -> list[str]:
        """Return the key in the previous format, while older processes may run, and in the current one."""
        return [previous_key(key), key] if monotonic() < self._previous_until else [key]

    def _before(self, keys: KeySet) -> dict[str, str]:
        if monotonic() >= self._previous_until:
            return {}
        return {"previous_session": previous_key(keys.session), "previous_result": previous_key(keys.result)}

    def _value(self, key: str) -> bytes | None:
        found = (self._backend.get(version) for version in reversed(self._versions(key)))
        return next((value for value in found if value is not None), None)

    def _entry(self, key: str) -> SessionEntry | None:
        """Return the entry of a session, ended if a process of either version has ended it."""
        *earlier, current = [self._backend.session(version) for version in self._versions(key)]
        for before in earlier:
            if before is not None and (current is None or before.state != "active"):
                return before if current is None else replace(current, state=before.state)
        return current
