"""IssuedKeys: makes, lists and deletes API keys."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from controller.auth.authenticator import may_grant
from controller.errors import Forbidden, InvalidRequest, NotFound, RateLimited
from controller.models.api_keys import StoredKey, key_hash, new_key
from controller.models.registered import FunctionRef, Identity, now, rfc3339
from controller.models.requests import KeyRequest
from controller.models.responses import KeyAnswer, KeyDescription, KeyList

#: Most keys of one user.
KEYS_MAX = 100
#: `Retry-After` in seconds, if a user has that many. By then a key may have expired.
RETRY_AFTER = 60
#: Days that an expired key is kept, so that its use is told the reason.
EXPIRED_KEPT_DAYS = 30
CLEANING_BATCH = 1000


class KeyRows(Protocol):
    """The permanent store of keys. Every method raises StoreUnavailable while the store is away."""

    def put_api_key(self, key: StoredKey, most: int) -> bool:
        """Store a key, unless the user has `most`. Expired ones make room. Return whether it is stored."""

    def api_keys(self, owner: str) -> list[StoredKey]:
        """Return the keys of a user, the newest first."""

    def delete_api_key(self, key_id: str, owner: str) -> bool:
        """Delete a user's key. Return False if there is none."""

    def delete_expired_api_keys(self, days: int, batch: int) -> int:
        """Delete up to `batch` keys that expired more than `days` ago. Return how many."""


class IssuedKeys:
    """The keys of all users. Every method raises StoreUnavailable while PostgreSQL is away.

    Args:
        rows: the store of keys.
        require: raises NotFound unless the reference names a function that the user sees.
        ttl_max: longest life of a key, in seconds.
    """

    def __init__(self, rows: KeyRows, require: Callable[[FunctionRef, str], object], ttl_max: int) -> None:
        self._rows = rows
        self._require = require
        self._ttl_max = timedelta(seconds=ttl_max)

    def check(self, asked: KeyRequest, owner: str) -> None:
        """Check the expiry and the functions of a new key.

        Raises:
            InvalidRequest: it would have expired already, or live too long.
            NotFound: a reference names no function that the owner sees.
        """
        if asked.expires_at is not None:
            moment = now()
            if asked.expires_at <= moment:
                raise _refused("must be in the future")
            if asked.expires_at > moment + self._ttl_max:
                raise _refused(f"must be at most {self._ttl_max.total_seconds():.0f} seconds from now")
        for reference in asked.functions or ():
            self._require(reference, owner)

    def create(self, maker: Identity, asked: KeyRequest) -> KeyAnswer:
        """Make a key that `check` let through. The answer is the only place that has it.

        Raises:
            Forbidden: the maker lacks one of its scopes.
            RateLimited: the maker has too many keys.
        """
        for scope in asked.scopes:
            if not may_grant(maker, scope):
                raise Forbidden("a key cannot have a scope that its maker lacks, nor the scope keys")
        text, created_at = new_key(), now()
        expires_at = asked.expires_at or created_at + self._ttl_max
        functions = None if asked.functions is None else tuple(map(str, asked.functions))
        key = StoredKey(
            key_id=str(uuid.uuid4()),
            key_hash=key_hash(text),
            user_id=maker.subject,
            name=asked.name,
            scopes=tuple(asked.scopes),
            functions=functions,
            created_at=created_at,
            expires_at=expires_at,
        )
        if not self._rows.put_api_key(key, KEYS_MAX):
            error = RateLimited(f"a user may have {KEYS_MAX} keys: delete one")
            error.retry_after = RETRY_AFTER
            raise error
        return KeyAnswer(
            key.key_id,
            text,
            key.name,
            " ".join(key.scopes),
            None if functions is None else list(functions),
            rfc3339(expires_at),
        )

    def list(self, owner: str) -> KeyList:
        """Return the owner's keys, the newest first, without their texts."""
        return KeyList([_described(key) for key in self._rows.api_keys(owner)])

    def require_own(self, key_id: str, owner: str) -> None:
        """Check that the key belongs to the owner.

        Raises:
            NotFound: it does not, or there is none.
        """
        if all(key.key_id != key_id for key in self._rows.api_keys(owner)):
            raise NotFound("there is no such key")

    def delete(self, key_id: str, owner: str) -> None:
        """Delete the owner's key. It stops working within `api_keys.REMEMBERED_SECONDS`.

        Raises:
            NotFound: there is none.
        """
        if not self._rows.delete_api_key(key_id, owner):
            raise NotFound("there is no such key")

    def clean_up(self) -> int:
        """Delete keys that expired long ago. Return how many."""
        return self._rows.delete_expired_api_keys(EXPIRED_KEPT_DAYS, CLEANING_BATCH)


def _refused(message: str) -> InvalidRequest:
    problem = {"pointer": "/expires_at", "message": message}
    return InvalidRequest(f"/expires_at: {message}", details={"errors": [problem]})


def _described(key: StoredKey) -> KeyDescription:
    return KeyDescription(
        key.key_id,
        key.name,
        " ".join(key.scopes),
        None if key.functions is None else list(key.functions),
        rfc3339(key.created_at),
        rfc3339(key.expires_at),
        None if key.last_used_at is None else rfc3339(key.last_used_at),
    )
