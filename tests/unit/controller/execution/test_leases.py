"""Leases of runs on a store in memory: what holds when a leader dies, or the store goes away under a run."""

from collections import Counter
from datetime import datetime

import gevent
from gevent.event import Event

from controller.cache.backend import BeginReply, BeginStatus, ExecutionKeys, Window
from controller.cache.memory import MemoryBackend
from controller.models.registered import Session
from tests.unit.controller.heart import Client, Process, Stores, result
from tests.waiting import until_greenlets

HELD = {"held": True}
#: Milliseconds of a lease that a test waits for.
SHORT_MS = 20


def test_a_lease_that_was_given_up_is_free_for_another_process(
    one: Process, other: Process, stores: Stores
) -> None:
    session, client = one.begin(), Client()
    one.ask(session, HELD, client=client)
    client.hang_up()
    stores.runtime.release()
    assert result(other.ask(session, HELD)) == (2, False)


def test_followers_run_when_the_lease_of_a_process_that_died_ends(stores: Stores) -> None:
    dead, one = (Process(stores, lease_ms=SHORT_MS) for _ in range(2))
    session = one.begin(timeout_ms=10)
    lost = dead.cache.execution_keys(session, HELD, reuse=True, lease_ms=dead.flights.lease_ms(session))
    assert dead.cache.begin(lost, None, alive=False).status is BeginStatus.LEAD
    follows = [one.ask(session, HELD) for _ in range(2)]
    until_greenlets(lambda: stores.runtime.runs == 1, "the lease ends")
    stores.runtime.release()
    assert sorted(map(result, follows)) == [(1, False), (1, True)]


def test_the_lease_is_the_scripts_deadline_and_what_a_call_takes(stores: Stores) -> None:
    process = Process(stores, lease_ms=SHORT_MS)
    assert process.flights.lease_ms(process.begin(timeout_ms=300)) == 300 + SHORT_MS


def orphaned(process: Process, session: Session) -> None:
    """Leave a lease of this process with no flight to it, as a trip that was cut off does."""
    keys = process.cache.execution_keys(session, {}, reuse=True, lease_ms=60_000)
    assert process.cache.begin(keys, None, alive=False).status is BeginStatus.LEAD


def test_a_lease_of_this_process_without_a_flight_holds_up_no_request(one: Process, stores: Stores) -> None:
    session = one.begin()
    orphaned(one, session)
    assert result(one.ask(session)) == (1, False)
    assert stores.redis.asked.count("begin") == 3


class SlowReplies(MemoryBackend):
    """A store that holds up its reply to the first `begin`, as a slow network does."""

    def __init__(self) -> None:
        super().__init__()
        self.begins = 0
        self.arrived = Event()

    def begin(
        self,
        keys: ExecutionKeys,
        now: datetime,
        window: Window | None,
        *,
        alive: bool = False,
        places: int = 1,
    ) -> BeginReply:
        reply = super().begin(keys, now, window, alive=alive, places=places)
        self.begins += 1
        if self.begins == 1:
            self.arrived.wait()
        return reply


def test_a_leader_that_has_not_got_its_reply_yet_is_no_orphan() -> None:
    backend = SlowReplies()
    stores = Stores(backend)
    process = Process(stores)
    session = process.begin()
    leads = gevent.spawn(process.execute, session, HELD)
    until_greenlets(lambda: backend.begins == 1, "the leader has begun")
    follows = gevent.spawn(process.execute, session, HELD)
    until_greenlets(lambda: backend.begins >= 4, "the follower has met the leader several times")
    assert stores.runtime.runs == 0
    backend.arrived.set()
    until_greenlets(lambda: stores.runtime.runs == 1, "the leader runs")
    stores.runtime.release()
    assert [result(leads), result(follows)] == [(1, False), (1, True)]


def test_without_redis_equal_requests_of_one_process_still_share_a_run(one: Process, stores: Stores) -> None:
    session = one.begin()
    stores.redis.away = True
    asked = [one.ask(session, HELD) for _ in range(3)]
    stores.runtime.release()
    assert Counter(map(result, asked)) == {(1, False): 1, (1, True): 2}
    assert stores.postgres.session(session.request_id).uncounted == 3


def test_redis_that_goes_away_under_a_run_takes_nothing_from_its_answer(one: Process, stores: Stores) -> None:
    session = one.begin()
    asked = one.ask(session, HELD)
    stores.redis.away = True
    stores.runtime.release()
    assert result(asked) == (1, False)
    stores.redis.away = False
    assert one.count(session) == 1
    # Its end did not reach Redis: the lease that is left there holds up no request of this process.
    assert result(one.ask(session, HELD)) == (2, False)


def test_followers_run_themselves_when_redis_goes_away_under_their_wait(
    one: Process, other: Process, stores: Stores
) -> None:
    session = one.begin()
    leads = one.ask(session, HELD)
    stores.redis.away = True
    follows = other.ask(session, HELD)
    assert stores.runtime.runs == 2
    stores.runtime.release()
    assert [result(leads), result(follows)] == [(1, False), (2, False)]
