"""API keys: the rows in memory and those in PostgreSQL pass the same suite."""

from datetime import timedelta
from typing import Protocol

import pytest

from controller.auth.api_keys import KeySearch
from controller.auth.issued_keys import KeyRows
from controller.database.api_keys import PostgresKeys
from controller.database.memory_keys import MemoryKeys
from controller.database.postgres import Postgres
from controller.models.api_keys import StoredKey
from controller.models.registered import now
from tests.keys import stored_key


class Keys(KeyRows, KeySearch, Protocol):
    """All that is asked of the table."""


@pytest.fixture
def keys(postgres: Postgres | None) -> Keys:
    return MemoryKeys() if postgres is None else PostgresKeys(postgres)


def put(keys: Keys, *stored: StoredKey) -> None:
    for one in stored:
        assert keys.put_api_key(one, 100)


def test_a_key_is_found_by_its_hash_as_it_was_stored(keys: Keys, owner: str) -> None:
    free = stored_key(owner, scopes=("execute:all", "read:functions"), name='ü "')
    bound = stored_key(owner, functions=("python-a", "python-b@prod"))
    put(keys, free, bound)
    assert keys.api_key(free.key_hash) == free
    assert keys.api_key(bound.key_hash) == bound
    assert keys.api_key(stored_key().key_hash) is None


def test_a_use_is_recorded_once_a_minute_and_never_of_an_expired_key(keys: Keys, owner: str) -> None:
    key, expired = stored_key(owner), stored_key(owner, lives=-1)
    put(keys, key, expired)
    for _ in range(2):
        keys.api_key(key.key_hash)
        keys.api_key(expired.key_hash)
    used = {one.key_id: one.last_used_at for one in keys.api_keys(owner)}
    first = used[key.key_id]
    assert first is not None and abs(now() - first) < timedelta(minutes=1)
    keys.api_key(key.key_hash)
    assert {one.key_id: one.last_used_at for one in keys.api_keys(owner)} == used
    assert used[expired.key_id] is None


def test_a_list_has_the_own_keys_and_the_newest_first(keys: Keys, owner: str) -> None:
    old = stored_key(owner, created_at=now() - timedelta(hours=1))
    new = stored_key(owner)
    put(keys, old, new, stored_key("someone-else"))
    assert keys.api_keys(owner) == [new, old]


def test_expired_keys_make_room_when_there_is_none(keys: Keys, owner: str) -> None:
    expired, live = stored_key(owner, lives=-1), stored_key(owner)
    put(keys, expired, live)
    assert keys.put_api_key(third := stored_key(owner), 3)
    assert {one.key_id for one in keys.api_keys(owner)} == {expired.key_id, live.key_id, third.key_id}
    assert keys.put_api_key(fourth := stored_key(owner), 3)
    assert {one.key_id for one in keys.api_keys(owner)} == {live.key_id, third.key_id, fourth.key_id}
    assert not keys.put_api_key(stored_key(owner), 3)
    assert len(keys.api_keys(owner)) == 3


def test_a_key_is_deleted_by_its_owner_alone(keys: Keys, owner: str) -> None:
    key = stored_key(owner)
    put(keys, key)
    assert not keys.delete_api_key(key.key_id, "another")
    assert keys.delete_api_key(key.key_id, owner)
    assert not keys.delete_api_key(key.key_id, owner)
    assert keys.api_key(key.key_hash) is None


def test_keys_that_expired_long_ago_go_in_batches(keys: Keys, owner: str) -> None:
    day = 86_400
    gone = [stored_key(owner, lives=-days * day) for days in (33, 32, 31)]
    kept = [stored_key(owner, lives=-29 * day), stored_key(owner)]
    put(keys, *gone, *kept)
    assert keys.delete_expired_api_keys(30, 2) == 2
    assert keys.api_key(gone[2].key_hash) is not None
    assert keys.delete_expired_api_keys(30, 2) == 1
    assert {one.key_id for one in keys.api_keys(owner)} == {one.key_id for one in kept}
