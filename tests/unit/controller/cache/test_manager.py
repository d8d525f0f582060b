"""CacheManager on a store in memory: what it answers while the store is away, and how it drops results."""

import pytest
from msgspec import Raw

from controller.cache.backend import BeginStatus, Window
from controller.cache.manager import DROP_BATCH
from controller.errors import CacheUnavailable
from controller.models.outcome import Outcome, Run
from tests.calls import new_session
from tests.unit.controller.heart import Process, Stores

WINDOW = Window("rate:alice", 1, 60_000)
OUTCOME = Outcome(Run(Raw(b"1"), 1.5))


def test_while_the_store_is_away_a_window_is_this_processes(
    one: Process, other: Process, stores: Stores
) -> None:
    keys = one.cache.execution_keys(new_session(), {}, reuse=True, lease_ms=1000)
    stores.redis.away = True
    reply = [one.cache.begin(keys, WINDOW, alive=False) for _ in range(2)]
    assert [told.status for told in reply] == [BeginStatus.AWAY, BeginStatus.LIMITED]
    assert [told.quota is not None and told.quota.allowed for told in reply] == [True, False]
    assert not one.cache.take(WINDOW).allowed
    assert other.cache.take(WINDOW).allowed


def test_while_the_store_is_away_only_what_needs_it_fails(one: Process, stores: Stores) -> None:
    session = new_session()
    keys = one.cache.execution_keys(session, {}, reuse=True, lease_ms=1000)
    stores.redis.away = True
    assert one.cache.finish(keys, OUTCOME) is None
    assert one.cache.abandon(keys)
    assert one.cache.outcome("another/1", 1000) is None
    assert not one.cache.put_session(session)
    assert one.cache.session(session.request_id) is None
    assert not one.cache.end_session(session, "closed")
    assert one.cache.script(session.script_hash) is None
    assert one.cache.artifact(session.artifact_key) is None
    assert not one.cache.available()
    one.cache.settle_key("key", "body", "token", b"answer", 1)
    one.cache.drop_results("alice", "python", session.script_hash)
    for ask in (
        lambda: one.cache.claim_key("key", "body", "token", 1000),
        lambda: one.cache.reply("token", 1000),
    ):
        with pytest.raises(CacheUnavailable):
            ask()


def test_all_results_of_a_script_are_dropped(one: Process) -> None:
    session = new_session()
    for number in range(DROP_BATCH + 1):
        keys = one.cache.execution_keys(session, {"n": number}, reuse=True, lease_ms=1000)
        one.cache.finish(keys, OUTCOME)
    one.cache.drop_results("alice", "python", session.script_hash)
    statuses = {
        one.cache.begin(
            one.cache.execution_keys(session, {"n": number}, reuse=True, lease_ms=1000), None, alive=True
        ).status
        for number in range(DROP_BATCH + 1)
    }
    assert statuses == {BeginStatus.LEAD}


def test_tokens_are_unique_among_processes(one: Process, other: Process) -> None:
    assert one.cache.token() != other.cache.token()
    assert one.cache.token() != one.cache.token()
