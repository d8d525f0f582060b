"""MemoryKeys: the double of `PostgresKeys` in this process's memory. One contract suite holds both."""

from dataclasses import replace
from datetime import timedelta
from itertools import islice

from controller.models.api_keys import StoredKey
from controller.models.registered import now

#: Resolution of the time of use.
USED_EVERY = timedelta(minutes=1)


class MemoryKeys:
    """API keys in a dictionary."""

    def __init__(self) -> None:
        self._keys: dict[bytes, StoredKey] = {}

    def api_key(self, key_hash: bytes) -> StoredKey | None:
        """See `KeySearch.api_key`."""
        key, moment = self._keys.get(key_hash), now()
        if (
            key is not None
            and moment < key.expires_at
            and (key.last_used_at is None or key.last_used_at < moment - USED_EVERY)
        ):
            self._keys[key_hash] = replace(key, last_used_at=moment)
        return key

    def put_api_key(self, key: StoredKey, most: int) -> bool:
        """See `KeyRows.put_api_key`."""
        own = self.api_keys(key.user_id)
        if len(own) >= most:
            for old in own:
                if old.expires_at <= now():
                    del self._keys[old.key_hash]
            if len(self.api_keys(key.user_id)) >= most:
                return False
        self._keys[key.key_hash] = key
        return True

    def api_keys(self, owner: str) -> list[StoredKey]:
        """See `KeyRows.api_keys`."""
        own = [key for key in self._keys.values() if key.user_id == owner]
        return sorted(own, key=lambda key: (-key.created_at.timestamp(), key.key_id))

    def delete_api_key(self, key_id: str, owner: str) -> bool:
        """See `KeyRows.delete_api_key`."""
        found = [key for key in self.api_keys(owner) if key.key_id == key_id]
        for key in found:
            del self._keys[key.key_hash]
        return bool(found)

    def delete_expired_api_keys(self, days: int, batch: int) -> int:
        """See `KeyRows.delete_expired_api_keys`."""
        before = now() - timedelta(days=days)
        old = [key for key in self._keys.values() if key.expires_at < before]
        gone = list(islice(sorted(old, key=lambda key: key.expires_at), batch))
        for key in gone:
            del self._keys[key.key_hash]
        return len(gone)
