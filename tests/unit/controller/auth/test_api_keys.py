"""ApiKeys: which keys are found, how long that counts, and how little the store is asked."""

from time import time
from typing import Any

import gevent
import pytest
from gevent.event import Event

from controller.auth.api_keys import (
    AWAY_SECONDS,
    LOOKUPS,
    REMEMBERED_SECONDS,
    UNKNOWN_MAX,
    ApiKeys,
)
from controller.auth.authenticator import Authenticator
from controller.auth.signing_keys import FixedKey
from controller.cache.manager import CacheManager
from controller.cache.memory import MemoryBackend
from controller.database.memory_keys import MemoryKeys
from controller.errors import RateLimited, StoreUnavailable, Unauthorized
from controller.models.api_keys import ALPHABET, StoredKey, key_hash, new_key, well_formed
from controller.models.registered import Identity
from tests.keys import stored_key
from tests.unit.controller.doubles import Outage, settle
from tests.unit.controller.heart import Clock

PATIENCE = 10


class House:
    """One process's keys behind a store that a test can take away."""

    def __init__(self) -> None:
        self.rows = MemoryKeys()
        self.store = Outage(self.rows, StoreUnavailable)
        self.clock = Clock(time())
        cache = CacheManager(MemoryBackend(), 60, 60)
        self.keys = ApiKeys(self.store, cache.take, self.clock)

    def make(self, lives: float = 3600, **changes: Any) -> str:
        text = new_key()
        assert self.rows.put_api_key(stored_key(text=text, lives=lives, **changes), 100)
        return text

    def find(self, text: str, address: str = "192.0.2.1") -> tuple[float, Identity]:
        return self.keys.find(text, key_hash(text), address)


@pytest.fixture
def house() -> House:
    return House()


def test_keys_are_long_random_and_checked() -> None:
    keys = {new_key() for _ in range(200)}
    assert len(keys) == 200
    assert all(well_formed(key) and len(key) == 42 and key.startswith("lmk_") for key in keys)


def test_a_key_with_one_wrong_character_or_two_swapped_ones_is_mistyped() -> None:
    key = new_key()
    for place in range(len(key)):
        wrong = ALPHABET[(ALPHABET.find(key[place]) + 1) % len(ALPHABET)]
        assert not well_formed(key[:place] + wrong + key[place + 1 :])
        swapped = key[:place] + key[place : place + 2][::-1] + key[place + 2 :]
        assert swapped == key or not well_formed(swapped)


@pytest.mark.parametrize("wrong", ["lmk_", "lmk_x", "lmk_" + "0" * 38, "lmk_" + "é" * 38])
def test_a_mistyped_key_is_refused_without_the_store(house: House, wrong: str) -> None:
    for text in (wrong, new_key()[:-1], new_key() + "0", new_key().upper()):
        with pytest.raises(Unauthorized, match="mistyped"):
            house.find(text)
    assert house.store.asked == []


def test_a_key_is_its_maker_with_the_rights_of_the_key(house: House) -> None:
    bound = house.make(scopes=("execute:rust", "read:functions"), functions=("rust-a", "rust-b@prod"))
    _, identity = house.find(bound)
    assert identity == Identity(
        "alice",
        frozenset({"execute:rust", "read:functions"}),
        functions=frozenset({"rust-a", "rust-b@prod"}),
        by_key=True,
    )
    assert house.find(house.make())[1].functions is None


def test_an_answer_counts_for_half_a_minute_and_never_beyond_the_expiry(house: House) -> None:
    assert house.find(house.make())[0] == house.clock.now + REMEMBERED_SECONDS
    soon, _ = house.find(house.make(lives=5))
    assert soon == pytest.approx(house.clock.now + 5, abs=2)


def test_a_remembered_key_does_not_ask_the_store(house: House) -> None:
    text = house.make()
    for _ in range(5):
        house.find(text)
    assert house.store.asked == ["api_key"]


def test_a_deleted_key_ends_within_half_a_minute(house: House) -> None:
    text = house.make()
    house.find(text)
    (key,) = house.rows.api_keys("alice")
    house.rows.delete_api_key(key.key_id, "alice")
    house.clock.now += REMEMBERED_SECONDS
    with pytest.raises(Unauthorized, match="unknown"):
        house.find(text)


def test_an_expired_key_is_told_so_and_the_store_is_asked_once(house: House) -> None:
    text = house.make(lives=-1)
    for _ in range(3):
        with pytest.raises(Unauthorized, match="expired"):
            house.find(text)
    assert house.store.asked == ["api_key"]


def test_a_key_expires_while_it_is_remembered(house: House) -> None:
    text = house.make(lives=10)
    house.find(text)
    house.clock.now += 15
    with pytest.raises(Unauthorized, match="expired"):
        house.find(text)


def test_while_the_store_is_away_known_keys_hold_for_a_minute_and_others_are_refused(house: House) -> None:
    text, other = house.make(), house.make()
    began = house.clock.now
    house.find(text)
    house.store.away = True
    with pytest.raises(StoreUnavailable):
        house.find(other)
    house.clock.now = began + REMEMBERED_SECONDS
    assert house.find(text)[0] == began + AWAY_SECONDS
    house.clock.now = began + AWAY_SECONDS - 1
    assert house.find(text)[1].subject == "alice"
    house.clock.now = began + AWAY_SECONDS
    with pytest.raises(StoreUnavailable):
        house.find(text)
    house.store.away = False
    assert house.find(text)[1].subject == "alice"


def test_an_address_with_ten_unknown_keys_in_a_minute_is_refused_without_the_store(house: House) -> None:
    for _ in range(UNKNOWN_MAX):
        with pytest.raises(Unauthorized, match="unknown"):
            house.find(new_key())
    for text in (new_key(), house.make()):
        with pytest.raises(RateLimited) as refused:
            house.find(text)
        assert 1 <= (refused.value.retry_after or 0) <= 60
    assert len(house.store.asked) == UNKNOWN_MAX
    assert house.find(house.make(), "192.0.2.2")[1].subject == "alice"


def test_a_known_key_goes_on_beside_unknown_ones(house: House) -> None:
    text = house.make()
    house.find(text)
    for _ in range(UNKNOWN_MAX):
        with pytest.raises(Unauthorized):
            house.find(new_key())
    house.clock.now += REMEMBERED_SECONDS
    assert house.find(text)[1].subject == "alice"


def test_an_unknown_key_that_comes_again_counts_once(house: House) -> None:
    text = new_key()
    for _ in range(3 * UNKNOWN_MAX):
        with pytest.raises(Unauthorized, match="unknown"):
            house.find(text)
    assert house.store.asked == ["api_key"]


class HeldRows:
    """A store that answers when it is released."""

    def __init__(self) -> None:
        self.released = Event()
        self.asked = 0

    def api_key(self, key_hash: bytes) -> StoredKey | None:
        self.asked += 1
        self.released.wait()
        return stored_key()


def test_four_look_ups_run_at_the_same_time_and_the_fifth_is_told_to_come_back() -> None:
    rows = HeldRows()
    keys = ApiKeys(rows, CacheManager(MemoryBackend(), 60, 60).take)
    asked = [new_key() for _ in range(LOOKUPS)]
    running = [gevent.spawn(keys.find, text, key_hash(text), "192.0.2.1") for text in asked]
    settle()
    fifth = new_key()
    with pytest.raises(StoreUnavailable) as refused:
        keys.find(fifth, key_hash(fifth), "192.0.2.1")
    assert refused.value.retry_after == 1
    rows.released.set()
    assert [one.get(timeout=PATIENCE)[1].subject for one in running] == ["alice"] * LOOKUPS
    assert keys.find(fifth, key_hash(fifth), "192.0.2.1")[1].subject == "alice"


def test_requests_with_one_key_share_a_look_up() -> None:
    rows, text = HeldRows(), new_key()
    keys = ApiKeys(rows, CacheManager(MemoryBackend(), 60, 60).take)
    running = [gevent.spawn(keys.find, text, key_hash(text), "192.0.2.1") for _ in range(50)]
    settle()
    rows.released.set()
    assert {one.get(timeout=PATIENCE)[1].subject for one in running} == {"alice"}
    assert rows.asked == 1


def test_those_who_wait_for_a_look_up_that_is_killed_are_told_to_come_back() -> None:
    rows, text = HeldRows(), new_key()
    keys = ApiKeys(rows, CacheManager(MemoryBackend(), 60, 60).take)
    first = gevent.spawn(keys.find, text, key_hash(text), "192.0.2.1")
    settle()
    second = gevent.spawn(keys.find, text, key_hash(text), "192.0.2.1")
    settle()
    first.kill()
    second.join(timeout=PATIENCE)
    assert isinstance(second.exception, StoreUnavailable)


def test_the_authenticator_remembers_a_key_as_it_remembers_a_token(house: House) -> None:
    text = house.make()
    checked = Authenticator(FixedKey("HS256", "s" * 32), "HS256", api_keys=house.keys)
    first = checked.identify(f"Bearer {text}", "192.0.2.1")
    house.store.away = True
    house.keys.find = None  # type: ignore[assignment, method-assign]
    assert checked.identify(f"Bearer {text}", "192.0.2.1") is first
