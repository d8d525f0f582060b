"""Random identifiers: their form, no two the same in any process, and few system calls."""

import os
from uuid import RFC_4122, UUID

import pytest

from controller.observability import random_ids
from controller.observability.random_ids import DRAWN, random_digits, random_uuid

MANY = 3 * DRAWN


def test_a_uuid_is_random_and_says_so() -> None:
    made = [UUID(random_uuid()) for _ in range(MANY)]

    assert {(each.version, each.variant) for each in made} == {(4, RFC_4122)}
    assert len(set(made)) == MANY
    # Each bit that is not fixed is set in some and not in others.
    every = any_of = made[0].int
    for each in made:
        every, any_of = every & each.int, any_of | each.int
    assert (any_of ^ every).bit_count() == 122


def test_a_system_call_brings_many(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    urandom = os.urandom

    def counting(size: int) -> bytes:
        drawn.append(size)
        return urandom(size)

    monkeypatch.setattr(os, "urandom", counting)
    digits = {random_digits() for _ in range(MANY)}

    assert len(digits) == MANY
    assert {len(each) for each in digits} == {32}
    assert len(drawn) <= MANY // DRAWN + 1


def test_forked_processes_share_none() -> None:
    random_digits()
    assert random_ids._pool, "there is something to share"
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, "".join(random_digits() for _ in range(DRAWN)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        theirs = pipe.read()
    _, status = os.waitpid(child, 0)

    ours = {random_digits() for _ in range(DRAWN)}

    assert status == 0
    assert len(theirs) == 32 * DRAWN
    assert not ours & {theirs[at : at + 32] for at in range(0, len(theirs), 32)}
