"""API keys, as tests make them up."""

import uuid
from datetime import timedelta

from controller.models.api_keys import StoredKey, key_hash, new_key
from controller.models.registered import now


def stored_key(
    owner: str = "alice", text: str | None = None, lives: float = 3600, **changes: object
) -> StoredKey:
    fields: dict[str, object] = {
        "key_id": str(uuid.uuid4()),
        "key_hash": key_hash(text or new_key()),
        "user_id": owner,
        "name": "nightly",
        "scopes": ("execute:python",),
        "functions": None,
        "created_at": now(),
        "expires_at": now() + timedelta(seconds=lives),
    }
    return StoredKey(**(fields | changes))  # type: ignore[arg-type]
