"""NearCopy: what it stores, and what it must not store any more."""

from time import monotonic

import pytest

from controller.cache.near_copy import OVERHEAD, SESSIONS, NearCopy

MINUTE_MS = 60_000


@pytest.fixture
def copy() -> NearCopy:
    """A copy of a thousand bytes of results, which is right."""
    made = NearCopy(1000 + OVERHEAD)
    made.open()
    made.right_until = float("inf")
    return made


def read(copy: NearCopy, result: str = "v2:result:r", value: bytes = b"1", kept_ms: int = MINUTE_MS) -> None:
    reading = copy.reading("v2:session:s", result)
    assert reading is not None
    copy.read(reading, value, kept_ms)


def found(copy: NearCopy, result: str = "v2:result:r") -> bytes | None:
    return copy.find("v2:session:s", result)


def test_what_was_read_is_found(copy: NearCopy) -> None:
    assert found(copy) is None
    read(copy)
    assert found(copy) == b"1"
    assert copy.find("v2:session:other", "v2:result:r") is None
    read(copy, value=b"2")
    assert found(copy) == b"2"
    assert copy.bytes == 1 + OVERHEAD


def test_a_copy_that_is_not_known_to_be_right_is_not_served_and_asks_for_it(copy: NearCopy) -> None:
    looks: list[float] = []
    copy.look, copy.look_at = looks.append, 0.0
    read(copy)
    copy.right_until = monotonic() - 0.001
    assert found(copy) is None
    assert len(looks) == 1


def test_a_result_is_not_served_beyond_its_time(copy: NearCopy) -> None:
    read(copy, kept_ms=1)
    ends = monotonic() + 0.002
    while monotonic() < ends:
        pass
    assert found(copy) is None
    assert copy.bytes == 0


@pytest.mark.parametrize("key", ["v2:result:r", "v2:session:s", "result:r", "session:s"])
def test_a_reported_change_of_either_format_is_forgotten(copy: NearCopy, key: str) -> None:
    read(copy)
    copy.invalidated(key)
    assert found(copy) is None


@pytest.mark.parametrize("key", ["v2:result:r", "v2:session:s"])
def test_what_was_read_before_a_change_is_not_stored_after_it(copy: NearCopy, key: str) -> None:
    reading = copy.reading("v2:session:s", "v2:result:r")
    assert reading is not None
    copy.invalidated(key)
    copy.read(reading, b"old", MINUTE_MS)
    assert found(copy) is None


def test_of_two_trips_the_one_before_a_change_stores_nothing(copy: NearCopy) -> None:
    first = copy.reading("v2:session:s", "v2:result:r")
    copy.forget("v2:result:r")
    second = copy.reading("v2:session:s", "v2:result:r")
    assert first is not None
    assert second is not None
    copy.read(first, b"old", MINUTE_MS)
    assert found(copy) is None
    copy.read(second, b"new", MINUTE_MS)
    assert found(copy) in (None, b"new")


def test_a_trip_across_a_break_stores_nothing(copy: NearCopy) -> None:
    reading = copy.reading("v2:session:s", "v2:result:r")
    assert reading is not None
    copy.close()
    assert copy.reading("v2:session:s", "v2:result:r") is None
    copy.open()
    copy.right_until = float("inf")
    copy.read(reading, b"old", MINUTE_MS)
    assert found(copy) is None


def test_a_break_empties_the_copy(copy: NearCopy) -> None:
    read(copy)
    copy.close()
    assert (found(copy), copy.bytes, copy.breaks) == (None, 0, 1)


def test_a_trip_without_a_result_leaves_nothing_behind(copy: NearCopy) -> None:
    reading = copy.reading("v2:session:s", "v2:result:r")
    assert reading is not None
    copy.read(reading)
    assert found(copy) is None
    read(copy)
    assert found(copy) == b"1"


def test_the_results_used_longest_ago_make_room() -> None:
    copy = NearCopy(3 * (100 + OVERHEAD))
    copy.open()
    copy.right_until = float("inf")
    for number in range(3):
        read(copy, f"v2:result:{number}", bytes(100))
    assert found(copy, "v2:result:0")
    read(copy, "v2:result:3", bytes(100))
    assert [bool(found(copy, f"v2:result:{number}")) for number in range(4)] == [True, False, True, True]
    assert copy.bytes == 3 * (100 + OVERHEAD)


def test_a_result_larger_than_the_copy_is_not_stored(copy: NearCopy) -> None:
    read(copy, value=bytes(1001))
    assert found(copy) is None
    assert copy.bytes == 0


def test_sessions_are_bounded(copy: NearCopy) -> None:
    read(copy)
    for number in range(SESSIONS):
        reading = copy.reading(f"v2:session:{number}", "v2:result:r")
        assert reading is not None
        copy.read(reading, b"1", MINUTE_MS)
    assert found(copy) is None
    assert copy.find("v2:session:1", "v2:result:r") == b"1"


def test_a_copy_of_no_bytes_is_no_copy() -> None:
    assert not NearCopy(0).enabled
