"""What a cache's store must do: the one in memory and the one in Redis pass the same suite."""

import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import gevent
import pytest

from controller.cache.backend import (
    PLACE_LEASE_MS,
    Backend,
    BeginReply,
    BeginStatus,
    ExecutionKeys,
    Finish,
    KeyClaim,
    Quota,
    SessionEntry,
    Window,
)
from controller.cache.memory import MemoryBackend
from controller.cache.redis import RedisBackend
from controller.errors import CacheUnavailable
from local.stores.redis import RedisServer
from tests.calls import Told
from tests.waiting import until


@pytest.fixture(params=["memory", "redis"])
def backend(request: pytest.FixtureRequest) -> Backend:
    if request.param == "memory":
        return MemoryBackend()
    return RedisBackend(request.getfixturevalue("redis_server").url, timeout=10)


@pytest.fixture
def key() -> str:
    return str(uuid.uuid4())


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=60)


def entry(count: int = 0, state: str = "active") -> SessionEntry:
    return SessionEntry(state, '{"a": "é"}', count, None)


def keys(key: str, token: str = "here/1", **changes: Any) -> ExecutionKeys:
    fields: dict[str, Any] = {
        "session": key,
        "result": f"{key}:result",
        "flight": f"{key}:flight",
        "results_index": f"{key}:index",
        "token": token,
        "lease_ms": 20_000,
        "reuse": True,
        "once": False,
    }
    return ExecutionKeys(**(fields | changes))


def result(kept: bytes = b"result", ttl: int = 60, **changes: Any) -> Finish:
    return Finish(kept, ttl, **({"executed": True} | changes))


FAILURE = Finish(b"failure", 0, executed=True)


def hit(reply: BeginReply) -> bytes | None:
    """The result of a reply that is a hit, which says how long it is kept."""
    assert reply.status is BeginStatus.HIT
    assert 0 < reply.wait_ms <= 60_000
    return reply.value


def count(backend: Backend, key: str) -> int:
    found = backend.session(key)
    assert found is not None
    return found.count


def test_what_was_never_set_is_not_there(backend: Backend, key: str) -> None:
    assert backend.get(key) is None
    assert backend.session(key) is None
    assert backend.begin(keys(key), soon(), None) == BeginReply(BeginStatus.SESSION)


def test_a_value_is_kept_and_expires(backend: Backend, key: str) -> None:
    backend.set(key, b"\0\xff", 1)
    assert backend.get(key) == b"\0\xff"
    until(lambda: backend.get(key) is None, "the value expires")
    assert backend.get(key) is None


def test_a_session_is_kept_with_its_counter(backend: Backend, key: str) -> None:
    backend.put_session(key, entry(count=3), soon())
    assert backend.session(key) == entry(count=3)


def test_a_session_expires(backend: Backend, key: str) -> None:
    backend.put_session(key, entry(), datetime.now(UTC) + timedelta(milliseconds=200))
    until(lambda: backend.session(key) is None, "the session expires")
    assert backend.begin(keys(key), soon(), None).value is None


def test_a_finished_execution_counts_and_keeps_its_result(backend: Backend, key: str) -> None:
    moment = datetime.now(UTC)
    backend.put_session(key, entry(), soon())
    assert backend.finish(keys(key), result(), moment) == "active"
    assert backend.session(key) == SessionEntry("active", '{"a": "é"}', 1, moment)
    assert backend.get(f"{key}:result") == b"result"


def test_a_failed_execution_counts_and_keeps_nothing(backend: Backend, key: str) -> None:
    backend.put_session(key, entry(), soon())
    backend.finish(keys(key), FAILURE, soon())
    assert count(backend, key) == 1
    assert backend.get(f"{key}:result") is None


def test_what_did_not_run_is_not_counted(backend: Backend, key: str) -> None:
    backend.put_session(key, entry(), soon())
    backend.finish(keys(key), Finish(b"unavailable", 0, executed=False), soon())
    assert count(backend, key) == 0


def test_only_a_hit_counts(backend: Backend, key: str) -> None:
    backend.put_session(key, entry(), soon())
    assert backend.begin(keys(key), soon(), None) == BeginReply(BeginStatus.LEAD)
    backend.finish(keys(key), result(), soon())
    assert backend.begin(keys(key, reuse=False), soon(), None) == BeginReply(BeginStatus.RUN)
    assert hit(backend.begin(keys(key), soon(), None)) == b"result"
    assert count(backend, key) == 2


def test_an_unknown_session_is_not_counted_into_being(backend: Backend, key: str) -> None:
    assert backend.finish(keys(key), result(), soon()) is None
    assert backend.session(key) is None
    assert backend.begin(keys(key), soon(), None) == BeginReply(BeginStatus.SESSION)


def test_a_session_that_is_known_elsewhere_is_served(backend: Backend, key: str) -> None:
    assert backend.begin(keys(key), soon(), None, alive=True) == BeginReply(BeginStatus.LEAD)
    backend.finish(keys(key), result(), soon())
    assert hit(backend.begin(keys(key), soon(), None, alive=True)) == b"result"
    backend.end_session(key, "deleted", soon())
    assert backend.begin(keys(key), soon(), None, alive=True) == BeginReply(BeginStatus.SESSION, b"deleted")


def test_an_ended_session_answers_nothing(backend: Backend, key: str) -> None:
    backend.put_session(key, entry(), soon())
    backend.finish(keys(key), result(), soon())
    backend.end_session(key, "deleted", soon())
    assert backend.begin(keys(key), soon(), None) == BeginReply(BeginStatus.SESSION, b"deleted")


def test_a_late_write_does_not_undo_an_end(backend: Backend, key: str) -> None:
    backend.end_session(key, "deleted", soon())
    backend.put_session(key, entry(), soon())
    assert backend.begin(keys(key), soon(), None).value == b"deleted"


def test_a_late_write_does_not_set_a_counter_back(backend: Backend, key: str) -> None:
    backend.put_session(key, entry(), soon())
    backend.finish(keys(key), FAILURE, soon())
    backend.put_session(key, entry(), soon())
    assert count(backend, key) == 1


def test_of_two_first_successes_one_closes_the_session(backend: Backend, key: str) -> None:
    backend.put_session(key, entry(), soon())
    first, second = keys(key, "here/1", once=True), keys(key, "here/2", once=True)
    assert backend.finish(first, result(closes="first"), soon()) == "active"
    assert backend.finish(second, result(closes="first"), soon()) == "closed"
    assert backend.finish(keys(key, "here/3"), result(closes="shared"), soon()) == "closed"
    # The second one is told that there is no session, so it does not count; the follower is answered, so it does.
    assert count(backend, key) == 2


def test_a_hit_closes_a_session_that_is_not_retained(backend: Backend, key: str) -> None:
    backend.put_session(key, entry(), soon())
    backend.set(f"{key}:result", b"result", 60)
    once = keys(key, once=True)
    assert backend.begin(once, soon(), None).status is BeginStatus.HIT
    assert backend.begin(once, soon(), None) == BeginReply(BeginStatus.SESSION, b"closed")


def test_a_follower_is_told_the_leader_and_its_lease(backend: Backend, key: str) -> None:
    backend.put_session(key, entry(), soon())
    assert backend.begin(keys(key, "here/1"), soon(), None) == BeginReply(BeginStatus.LEAD)
    told = backend.begin(keys(key, "there/1"), soon(), None)
    assert (told.status, told.value) == (BeginStatus.FOLLOWER, b"here/1")
    assert 15_000 < told.wait_ms <= 20_000


@pytest.mark.parametrize("end", [result(), FAILURE])
def test_a_follower_in_another_process_gets_the_outcome(backend: Backend, key: str, end: Finish) -> None:
    backend.put_session(key, entry(), soon())
    here = keys(key, f"{key}/1")
    backend.begin(here, soon(), None)
    backend.begin(keys(key, "there/1"), soon(), None)
    backend.finish(here, end, soon())
    assert [backend.reply(here.token, 10_000) for _ in range(3)] == [end.outcome] * 3


def test_followers_in_memory_are_woken(key: str) -> None:
    backend = MemoryBackend()
    backend.put_session(key, entry(), soon())
    backend.begin(keys(key, f"{key}/1"), soon(), None)
    backend.begin(keys(key, "there/1"), soon(), None)
    waiting = [gevent.spawn(backend.reply, f"{key}/1", 10_000) for _ in range(3)]
    gevent.idle()
    backend.finish(keys(key, f"{key}/1"), result(), soon())
    assert [told.get(timeout=60) for told in waiting] == [b"result"] * 3


def test_a_follower_gives_up_when_the_lease_ends(backend: Backend, key: str) -> None:
    backend.put_session(key, entry(), soon())
    backend.begin(keys(key, f"{key}/1", lease_ms=200), soon(), None)
    told = backend.begin(keys(key, "there/1"), soon(), None)
    assert backend.reply(f"{key}/1", told.wait_ms) is None
    assert backend.begin(keys(key, "there/2"), soon(), None) == BeginReply(BeginStatus.LEAD)


def test_a_run_without_followers_is_given_up(backend: Backend, key: str) -> None:
    backend.put_session(key, entry(), soon())
    here = keys(key, "here/1")
    backend.begin(here, soon(), None)
    backend.begin(keys(key, "here/2"), soon(), None)
    assert backend.abandon(here)
    assert backend.begin(keys(key, "there/1"), soon(), None) == BeginReply(BeginStatus.LEAD)
    assert backend.abandon(here), "it has no lease any more"
    backend.begin(keys(key, "here/3"), soon(), None)
    assert not backend.abandon(keys(key, "there/1")), "another process waits"


def test_a_refresh_runs_beside_a_leader_and_the_older_result_is_not_kept(backend: Backend, key: str) -> None:
    backend.put_session(key, entry(), soon())
    old, fresh = keys(key, "here/1"), keys(key, "here/2", reuse=False)
    assert backend.begin(old, soon(), None) == BeginReply(BeginStatus.LEAD)
    assert backend.begin(fresh, soon(), None) == BeginReply(BeginStatus.RUN)
    backend.finish(fresh, result(b"fresh"), soon())
    backend.finish(old, result(b"old"), soon())
    assert hit(backend.begin(keys(key), soon(), None)) == b"fresh"


def test_an_execution_that_does_not_claim_leads_alone(backend: Backend, key: str) -> None:
    backend.put_session(key, entry(), soon())
    alone = keys(key, "here/1", claims=False)
    assert backend.begin(alone, soon(), None) == BeginReply(BeginStatus.LEAD)
    assert backend.begin(keys(key, "there/1"), soon(), None) == BeginReply(BeginStatus.LEAD)
    assert backend.begin(alone, soon(), None).status is BeginStatus.FOLLOWER, "it follows one that claims"
    assert backend.finish(alone, result(), soon()) == "active"
    assert hit(backend.begin(keys(key), soon(), None)) == b"result"


@pytest.mark.parametrize("fresh", [{"reuse": False}, {"claims": False}], ids=["refreshed", "run again"])
def test_the_result_of_one_that_does_not_claim_replaces_none(
    backend: Backend, key: str, fresh: dict[str, bool]
) -> None:
    backend.put_session(key, entry(), soon())
    old = keys(key, "here/1", claims=False)
    backend.begin(old, soon(), None)
    backend.finish(keys(key, "here/2", **fresh), result(b"fresh"), soon())
    backend.finish(old, result(b"old"), soon())
    assert hit(backend.begin(keys(key), soon(), None)) == b"fresh"


def test_an_end_that_is_not_waited_for_comes_before_what_follows(backend: Backend, key: str) -> None:
    backend.put_session(key, entry(), soon())
    for number in range(20):
        backend.finish_later(keys(key), result(b"%d" % number), soon())
        assert hit(backend.begin(keys(key), soon(), None)) == b"%d" % number
    assert count(backend, key) == 40


def test_an_end_that_is_not_waited_for_is_told_whether_it_counts(backend: Backend, key: str) -> None:
    backend.put_session(key, entry(), soon())
    known, unknown = Told(), Told()
    backend.finish_later(keys(key, later=known), result(), soon())
    backend.finish_later(keys(f"{key}:unknown", later=unknown), result(), soon())
    backend.ping()
    assert (known.answers, unknown.answers) == ([True], [False])


def test_results_are_dropped_by_their_index_in_batches(backend: Backend, key: str) -> None:
    for number in range(5):
        backend.finish(keys(key, result=f"{key}:{number}"), result(), soon())
    backend.finish(keys(key, result=f"{key}:other", results_index=f"{key}:index:other"), result(), soon())
    assert [backend.drop(f"{key}:index", 3) for _ in range(3)] == [3, 2, 0]
    assert [backend.get(f"{key}:{number}") for number in range(5)] == [None] * 5
    assert backend.get(f"{key}:other") == b"result"


def test_a_window_admits_its_limit_and_slides(backend: Backend, key: str) -> None:
    window = Window(key, 3, 1000)
    quotas = [backend.take(window) for _ in range(4)]
    assert [(quota.allowed, quota.remaining) for quota in quotas] == [
        (True, 2),
        (True, 1),
        (True, 0),
        (False, 0),
    ]
    assert all(0 < quota.reset_ms <= 1000 for quota in quotas)
    until(lambda: backend.take(window).allowed, "the first place is free again")


def lease(backend: Backend, key: str, window: Window, places: int) -> Quota:
    """The slots that the trip of an execution takes."""
    session = keys(f"{key}:session", reuse=False)
    quota = backend.begin(session, soon(), window, alive=True, places=places).quota
    assert quota is not None
    return quota


@pytest.mark.parametrize(
    ("limit", "granted"),
    [(99, 1), (1000, 10), (100_000, 32)],
    ids=["no share", "its share", "what is wanted"],
)
def test_places_are_leased_up_to_a_share_of_the_limit(
    backend: Backend, key: str, limit: int, granted: int
) -> None:
    quota = lease(backend, key, Window(key, limit, 60_000), places=32)
    assert (quota.places, quota.remaining) == (granted, limit - granted)


def test_all_processes_together_lease_a_fiftieth_of_the_limit(backend: Backend, key: str) -> None:
    quotas = [lease(backend, key, Window(key, 1000, 60_000), places=8) for _ in range(20)]
    for number, quota in enumerate(quotas):
        began = float(quota.taken_at) - PLACE_LEASE_MS
        held = sum(other.places for other in quotas[: number + 1] if float(other.taken_at) > began)
        assert quota.places == 1 or held <= 20


def test_leases_end_before_a_window_is_full(backend: Backend, key: str) -> None:
    window = Window(key, 200, 60_000)
    for _ in range(195):
        backend.take(window)
    assert lease(backend, key, window, places=32).places == 1


def test_places_that_are_given_back_are_free(backend: Backend, key: str) -> None:
    window = Window(key, 1000, 60_000)
    quota = lease(backend, key, window, places=8)
    backend.give_back(key, quota.taken_at, 7)
    assert backend.take(window).remaining == 1000 - 2
    backend.give_back(key, quota.taken_at, 7)
    assert backend.take(window).remaining >= 1000 - 3, "others may have taken theirs at the same time"


def test_hits_are_counted_together(backend: Backend, key: str) -> None:
    moment = datetime.now(UTC)
    backend.put_session(key, entry(count=3), soon())
    backend.finish(keys(key), FAILURE, soon())
    assert backend.count_hits({key: (20, moment), f"{key}:unknown": (2, moment)}) == [f"{key}:unknown"]
    assert backend.session(key) == SessionEntry("active", '{"a": "é"}', 24, moment)
    assert backend.session(f"{key}:unknown") is None


def test_a_window_is_taken_with_the_trip_of_an_execution(backend: Backend, key: str) -> None:
    backend.put_session(key, entry(), soon())
    window = Window(f"{key}:window", 1, 60_000)
    first = backend.begin(keys(key, reuse=False), soon(), window)
    assert (first.status, first.quota and first.quota.remaining) == (BeginStatus.RUN, 0)
    backend.set(f"{key}:result", b"result", 60)
    second = backend.begin(keys(key), soon(), window)
    assert (second.status, second.value) == (BeginStatus.LIMITED, None)
    assert isinstance(second.quota, Quota)
    assert count(backend, key) == 0, "a hit that is not let in does not count"


def test_the_first_with_a_key_runs_and_the_others_are_answered_the_same(backend: Backend, key: str) -> None:
    assert backend.claim_key(key, "body", "", 0) == KeyClaim("new")
    assert backend.claim_key(key, "body", f"{key}/1", 20_000) == KeyClaim("new")
    told = backend.claim_key(key, "body", "there/1", 20_000)
    assert (told.status, told.value) == ("running", f"{key}/1".encode())
    assert 15_000 < told.wait_ms <= 20_000
    assert backend.claim_key(key, "another body", "there/1", 20_000) == KeyClaim("conflict")
    backend.settle_key(key, "body", f"{key}/1", b"answer", 60)
    assert backend.reply(f"{key}/1", told.wait_ms) == b"answer"
    assert backend.claim_key(key, "body", "there/1", 20_000) == KeyClaim("answered", b"answer")
    assert backend.claim_key(key, "another body", "there/1", 20_000) == KeyClaim("conflict")


def test_a_key_that_was_not_answered_is_free_again(backend: Backend, key: str) -> None:
    backend.claim_key(key, "body", f"{key}/1", 20_000)
    backend.claim_key(key, "body", "there/1", 20_000)
    backend.settle_key(key, "body", f"{key}/1", b"", 60)
    assert backend.reply(f"{key}/1", 10_000) == b""
    assert backend.claim_key(key, "body", "there/1", 20_000) == KeyClaim("new")


def test_a_late_first_does_not_settle_the_key_of_the_next(backend: Backend, key: str) -> None:
    backend.claim_key(key, "body", "here/1", 200)
    until(
        lambda: backend.claim_key(key, "body", "there/1", 20_000).status == "new",
        "the claim of the first ends",
    )
    backend.settle_key(key, "body", "here/1", b"late", 60)
    assert backend.claim_key(key, "body", "there/2", 20_000).status == "running"


def test_redis_that_is_away_is_said_to_be_away(own_redis_server: RedisServer, key: str) -> None:
    backend = RedisBackend(own_redis_server.url, timeout=1)
    backend.set(key, b"x", 60)
    own_redis_server.stop()
    for operation in (
        backend.ping,
        lambda: backend.get(key),
        lambda: backend.set(key, b"x", 60),
        lambda: backend.take(Window(key, 1, 1000)),
        lambda: backend.begin(keys(key), soon(), None),
        lambda: backend.finish(keys(key), result(), soon()),
        lambda: backend.finish_later(keys(key), result(), soon()),
        lambda: backend.abandon(keys(key)),
        lambda: backend.reply(key, 1000),
        lambda: backend.drop(key, 1),
        lambda: backend.claim_key(key, "body", "here/1", 1000),
        lambda: backend.settle_key(key, "body", "here/1", b"", 60),
        lambda: backend.put_session(key, entry(), soon()),
        lambda: backend.session(key),
        lambda: backend.count_hits({key: (1, soon())}),
        lambda: backend.give_back(key, "1", 1),
        lambda: backend.end_session(key, "closed", soon()),
    ):
        with pytest.raises(CacheUnavailable):
            operation()


def test_redis_that_is_back_is_used_again(own_redis_server: RedisServer, key: str) -> None:
    backend = RedisBackend(own_redis_server.url, timeout=1)
    backend.ping()
    own_redis_server.stop()
    own_redis_server.start()
    started = time.monotonic()
    backend.set(key, b"x", 60)
    assert backend.get(key) == b"x"
    assert time.monotonic() - started < 30
