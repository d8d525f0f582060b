"""Rendezvous hashing: keys spread, stay, and move only when they must."""

from collections import Counter

from controller.runtimes.transport.balancer import ranked

ADDRESSES = [f"http://10.0.0.{number}:8080" for number in range(1, 6)]
KEYS = [f"tenant\0{number}" for number in range(2000)]


def test_every_process_gives_the_same_order() -> None:
    assert all(ranked(ADDRESSES, key) == ranked(reversed(ADDRESSES), key) for key in KEYS)
    # A fixed value: a seed that differs by process would show.
    assert ranked(ADDRESSES[:3], "a") == [ADDRESSES[index] for index in (2, 0, 1)]


def test_keys_spread_evenly() -> None:
    counted = Counter(ranked(ADDRESSES, key)[0] for key in KEYS)
    assert set(counted) == set(ADDRESSES)
    assert all(300 < count < 500 for count in counted.values())


def test_an_address_that_goes_moves_only_its_own_keys_each_to_its_second() -> None:
    gone, left = ADDRESSES[0], ADDRESSES[1:]
    for key in KEYS:
        before = ranked(ADDRESSES, key)
        assert ranked(left, key) == [address for address in before if address != gone]
