"""PostgresKeys: the queries of API keys.

`memory_keys` has the same methods without a server. Every method raises StoreUnavailable while PostgreSQL is away.
"""

from dataclasses import asdict

from controller.database.postgres import QUERIES, Postgres
from controller.models.api_keys import StoredKey


class PostgresKeys:
    """API keys in PostgreSQL."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    def api_key(self, key_hash: bytes) -> StoredKey | None:
        """Return a key, expired or not, and record its use."""
        row = self._postgres.query("api_key", key_hash=key_hash)
        return None if row is None else StoredKey.of(row)

    def put_api_key(self, key: StoredKey, most: int) -> bool:
        """Store a key, unless the user has `most`. Expired ones make room. Return whether it is stored."""
        columns = asdict(key)
        del columns["last_used_at"]
        columns["scopes"] = list(key.scopes)
        columns["functions"] = None if key.functions is None else list(key.functions)
        with self._postgres.transaction("put_api_key") as connection:
            QUERIES.lock_api_keys(connection, user_id=key.user_id)
            return bool(QUERIES.put_api_key(connection, most=most, **columns))

    def api_keys(self, owner: str) -> list[StoredKey]:
        """Return the keys of a user, the newest first."""
        return [StoredKey.of(row) for row in self._postgres.query("api_keys", owner=owner)]

    def delete_api_key(self, key_id: str, owner: str) -> bool:
        """Delete a user's key. Return False if there is none."""
        return bool(self._postgres.query("delete_api_key", key_id=key_id, owner=owner))

    def delete_expired_api_keys(self, days: int, batch: int) -> int:
        """Delete up to `batch` keys that expired more than `days` ago. Return how many."""
        deleted: int = self._postgres.query("delete_expired_api_keys", days=days, batch=batch)
        return deleted
