"""MemoryEnvironments: the double of `PostgresEnvironments` in this process's memory. One contract suite has both."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import time
from typing import Any

from controller.models.environments import BuildState, Built, Environment, KeptLock

#: Seconds for which an environment is in use after a use, and for which a builder may be silent.
IN_USE, BUILDER_GONE = 120.0, 600.0


@dataclass(slots=True)
class _Row:
    environment: Environment
    used_at: float
    stored_bytes: int = 0
    parts: int = 0
    build: str | None = None
    failure: Mapping[str, Any] | None = None
    lease: float = 0.0

    def become(self, state: str) -> None:
        self.environment = replace(self.environment, state=state)  # type: ignore[arg-type]


class MemoryEnvironments:
    """Environments and their parts in dictionaries.

    Args:
        clock: seconds that go on evenly.
    """

    def __init__(self, clock: Callable[[], float] = time) -> None:
        self._clock = clock
        self._rows: dict[str, _Row] = {}
        #: By user and declaration. A lease in place of a digest: it is being resolved.
        self._locks: dict[tuple[str, str], str | float] = {}
        self._parts: dict[tuple[str, str, int], bytes] = {}

    def kept_lock(self, user_id: str, declaration: str) -> KeptLock | None:
        """See `EnvironmentRows.kept_lock`."""
        digest = self._locks.get((user_id, declaration))
        if not isinstance(digest, str):
            return None
        row = self._rows[digest]
        row.used_at = self._clock()
        return KeptLock(digest, row.environment.state)

    def claim_lock(self, user_id: str, declaration: str, seconds: float) -> bool:
        """See `EnvironmentRows.claim_lock`."""
        known = self._locks.get((user_id, declaration), 0.0)
        if isinstance(known, str) or known >= self._clock():
            return False
        self._locks[user_id, declaration] = self._clock() + seconds
        return True

    def renew_lock(self, user_id: str, declaration: str, seconds: float) -> bool:
        """See `EnvironmentRows.renew_lock`."""
        if not isinstance(self._locks.get((user_id, declaration)), float):
            return False
        self._locks[user_id, declaration] = self._clock() + seconds
        return True

    def release_lock(self, user_id: str, declaration: str) -> None:
        """See `EnvironmentRows.release_lock`."""
        if isinstance(self._locks.get((user_id, declaration)), float):
            del self._locks[user_id, declaration]

    def keep_lock(self, user_id: str, declaration: str, digest: str) -> None:
        """See `EnvironmentRows.keep_lock`."""
        self._locks[user_id, declaration] = digest

    def put_environment(self, environment: Environment) -> None:
        """See `EnvironmentRows.put_environment`."""
        self._rows.setdefault(environment.digest, _Row(environment, self._clock()))

    def environment(self, digest: str) -> Environment | None:
        """See `EnvironmentRows.environment`."""
        row = self._rows.get(digest)
        return None if row is None else row.environment

    def build_state(self, digest: str) -> BuildState | None:
        """See `EnvironmentRows.build_state`."""
        row = self._rows.get(digest)
        return None if row is None else BuildState(row.environment.state, row.build, row.failure)

    def claim_build(self, digest: str, build: str, seconds: float) -> bool:
        """See `EnvironmentRows.claim_build`."""
        row = self._rows[digest]
        state, moment = row.environment.state, self._clock()
        if state == "ready" or (state == "building" and row.lease >= moment):
            return False
        row.become("building")
        row.build, row.failure, row.lease = build, None, moment + seconds
        return True

    def renew_build(self, digest: str, build: str, seconds: float) -> bool:
        """See `EnvironmentRows.renew_build`."""
        row = self._building(digest, build)
        if row is not None:
            row.lease = self._clock() + seconds
        return row is not None

    def finish_build(self, digest: str, build: str, built: Built) -> bool:
        """See `EnvironmentRows.finish_build`."""
        row = self._building(digest, build)
        if row is not None:
            row.environment = replace(
                row.environment,
                packages=built.packages,
                bytes=built.bytes,
                built_ms=built.built_ms,
                state="ready",
            )
            row.stored_bytes, row.parts, row.used_at = built.stored_bytes, built.parts, self._clock()
        return row is not None

    def fail_build(self, digest: str, build: str, failure: Mapping[str, Any]) -> None:
        """See `EnvironmentRows.fail_build`."""
        row = self._building(digest, build)
        if row is not None:
            row.become("failed")
            row.failure = failure

    def use_environment(self, digest: str) -> str | None:
        """See `EnvironmentRows.use_environment`."""
        row = self._rows.get(digest)
        if row is None or row.environment.state != "ready":
            return None
        row.used_at = self._clock()
        return row.build

    def lose_part(self, digest: str, build: str, part: int) -> None:
        """See `EnvironmentRows.lose_part`."""
        row = self._rows[digest]
        if row.environment.state == "ready" and row.build == build and part < row.parts:
            row.become("absent")
            row.stored_bytes = 0

    def evict_environments(self, most: int, batch: int) -> list[tuple[str, str]]:
        """See `EnvironmentRows.evict_environments`."""
        together, gone = 0, list[tuple[str, str]]()
        for row in sorted(self._rows.values(), key=lambda one: -one.used_at):
            state = row.environment.state
            together += row.stored_bytes if state == "ready" else 0
            old = state == "ready" and together > most and row.used_at < self._clock() - IN_USE
            if (old or (state == "building" and row.lease < self._clock() - BUILDER_GONE)) and len(
                gone
            ) < batch:
                row.become("absent")
                row.stored_bytes = 0
                gone.append((row.environment.digest, row.build or ""))
        return gone

    def environments_bytes(self) -> int:
        """See `EnvironmentRows.environments_bytes`."""
        return sum(row.stored_bytes for row in self._rows.values())

    def put_part(self, digest: str, build: str, part: int, content: bytes) -> bool:
        """See `PartStore.put_part`."""
        if self._building(digest, build) is None:
            return False
        self._parts[digest, build, part] = content
        return True

    def part(self, digest: str, build: str, part: int) -> bytes | None:
        """See `PartStore.part`."""
        return self._parts.get((digest, build, part))

    def drop_parts(self, digest: str, build: str) -> None:
        """See `PartStore.drop_parts`."""
        self._parts = {key: content for key, content in self._parts.items() if key[:2] != (digest, build)}

    def _building(self, digest: str, build: str) -> _Row | None:
        """Return an environment that this build has the lease for."""
        row = self._rows[digest]
        return row if row.environment.state == "building" and row.build == build else None
