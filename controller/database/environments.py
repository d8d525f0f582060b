"""PostgresEnvironments: the queries of environments, their parts and the locks of declarations.

`memory_environments` has the same methods without a server. Every method raises StoreUnavailable while PostgreSQL is
away.
"""

import json
from collections.abc import Mapping
from typing import Any

from controller.database.postgres import Postgres
from controller.models.environments import BuildState, Built, Environment, KeptLock


class PostgresEnvironments:
    """Environments and their parts in PostgreSQL. See `controller.registry.rows` for the methods."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    def kept_lock(self, user_id: str, declaration: str) -> KeptLock | None:
        """See `EnvironmentRows.kept_lock`."""
        row = self._postgres.query("kept_lock", user_id=user_id, declaration=declaration)
        return None if row is None else KeptLock(**row)

    def claim_lock(self, user_id: str, declaration: str, seconds: float) -> bool:
        """See `EnvironmentRows.claim_lock`."""
        return self._did("claim_lock", user_id=user_id, declaration=declaration, seconds=seconds)

    def renew_lock(self, user_id: str, declaration: str, seconds: float) -> bool:
        """See `EnvironmentRows.renew_lock`."""
        return self._did("renew_lock", user_id=user_id, declaration=declaration, seconds=seconds)

    def release_lock(self, user_id: str, declaration: str) -> None:
        """See `EnvironmentRows.release_lock`."""
        self._did("release_lock", user_id=user_id, declaration=declaration)

    def keep_lock(self, user_id: str, declaration: str, digest: str) -> None:
        """See `EnvironmentRows.keep_lock`."""
        self._did("keep_lock", user_id=user_id, declaration=declaration, digest=digest)

    def put_environment(self, environment: Environment) -> None:
        """See `EnvironmentRows.put_environment`."""
        columns = {
            name: getattr(environment, name) for name in ("digest", "language", "version", "platform", "lock")
        }
        self._did("put_environment", **columns, packages=json.dumps(list(environment.packages)))

    def environment(self, digest: str) -> Environment | None:
        """See `EnvironmentRows.environment`."""
        row = self._postgres.query("environment", digest=digest)
        return None if row is None else Environment(**row)

    def build_state(self, digest: str) -> BuildState | None:
        """See `EnvironmentRows.build_state`."""
        row = self._postgres.query("build_state", digest=digest)
        return None if row is None else BuildState(**row)

    def claim_build(self, digest: str, build: str, seconds: float) -> bool:
        """See `EnvironmentRows.claim_build`."""
        return self._did("claim_build", digest=digest, build=build, seconds=seconds)

    def renew_build(self, digest: str, build: str, seconds: float) -> bool:
        """See `EnvironmentRows.renew_build`."""
        return self._did("renew_build", digest=digest, build=build, seconds=seconds)

    def finish_build(self, digest: str, build: str, built: Built) -> bool:
        """See `EnvironmentRows.finish_build`."""
        columns = built._asdict() | {"packages": json.dumps(list(built.packages))}
        return self._did("finish_build", digest=digest, build=build, **columns)

    def fail_build(self, digest: str, build: str, failure: Mapping[str, Any]) -> None:
        """See `EnvironmentRows.fail_build`."""
        self._did("fail_build", digest=digest, build=build, failure=json.dumps(failure))

    def use_environment(self, digest: str) -> str | None:
        """See `EnvironmentRows.use_environment`."""
        build: str | None = self._postgres.query("use_environment", digest=digest)
        return build

    def lose_part(self, digest: str, build: str, part: int) -> None:
        """See `EnvironmentRows.lose_part`."""
        self._did("lose_part", digest=digest, build=build, part=part)

    def evict_environments(self, most: int, batch: int) -> list[tuple[str, str]]:
        """See `EnvironmentRows.evict_environments`."""
        rows = self._postgres.query("evict_environments", most=most, batch=batch)
        return [(row["digest"], row["build"]) for row in rows]

    def environments_bytes(self) -> int:
        """See `EnvironmentRows.environments_bytes`."""
        found: int = self._postgres.query("environments_bytes")
        return found

    def put_part(self, digest: str, build: str, part: int, content: bytes) -> bool:
        """See `PartStore.put_part`."""
        return self._did("put_part", digest=digest, build=build, part=part, content=content)

    def part(self, digest: str, build: str, part: int) -> bytes | None:
        """See `PartStore.part`."""
        stored = self._postgres.query("part", digest=digest, build=build, part=part)
        return None if stored is None else bytes(stored)

    def drop_parts(self, digest: str, build: str) -> None:
        """See `PartStore.drop_parts`."""
        self._did("drop_parts", digest=digest, build=build)

    def _did(self, query: str, **parameters: Any) -> bool:
        """Execute a query. Return whether it changed a row."""
        return bool(self._postgres.query(query, **parameters))
