"""NearHits on a store in memory: which executions need no trip, how they are counted, and places in windows."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from time import monotonic
from typing import Any

import gevent
import pytest
from msgspec import Raw
from prometheus_client import CollectorRegistry

from controller.cache import leases
from controller.cache.backend import BeginStatus, Window
from controller.cache.leases import Leases, Unused
from controller.cache.manager import CacheManager
from controller.cache.memory import MemoryBackend
from controller.cache.near_copy import NearCopy
from controller.cache.near_hits import SLICE, NearHits
from controller.cache.sliding_windows import Windows
from controller.call import CallFactory
from controller.errors import CacheUnavailable
from controller.models.outcome import Outcome, Run
from controller.models.registered import Session
from controller.observability.masking import DEFAULT_MASKER
from controller.observability.metrics import MetricsCollector
from controller.request_log.writes import Write
from telemetry.tracing import UNTRACED
from tests.calls import NoLog, call, new_session
from tests.unit.controller.doubles import Outage
from tests.waiting import until_greenlets

LARGE = Window("v2:rate:execute:alice", 10_000, 60_000)


class Meter:
    def __init__(self) -> None:
        self.hits = 0

    def near_copy(self, hits: int, invalidations: int, breaks: int, held_bytes: int) -> None:
        self.hits += hits


class Near:
    """A process with a copy that is right."""

    def __init__(self) -> None:
        self.store = Outage(MemoryBackend(), CacheUnavailable)
        self.copy = NearCopy(1 << 20)
        self.meter = Meter()
        self.near = NearHits(self.store, self.copy, self.meter)
        self.cache = CacheManager(self.store, 60, 60, self.near)
        self.copy.open()
        self.copy.right_until = float("inf")

    def kept(self, **changes: Any) -> Session:
        """A session with a result in the store and, unless it is to end, in the copy."""
        session = new_session(**changes)
        self.cache.put_session(session)
        other = replace(session, retain_session=True)
        keys = self.cache.execution_keys(other, {}, reuse=True, lease_ms=1000)
        self.cache.finish(keys, Outcome(Run(Raw(b"1"), 1.5)))
        assert self.begin(other) is BeginStatus.HIT
        self.store.asked.clear()
        return session

    def begin(
        self, session: Session, *, reuse: bool = True, near: bool = True, window: Window | None = None
    ) -> BeginStatus:
        keys = self.cache.execution_keys(
            session, {}, reuse=reuse, lease_ms=1000, later=call() if near else None
        )
        return self.cache.begin(keys, window, alive=False).status

    def count(self, session: Session) -> int:
        kept = self.cache.session(session.request_id)
        assert kept is not None
        return kept.execution_count


@pytest.fixture
def near() -> Near:
    return Near()


def test_a_hit_makes_no_trip_and_is_counted_before_the_count_is_read(near: Near) -> None:
    session = near.kept()
    before = near.count(session)
    near.store.asked.clear()
    assert [near.begin(session) for _ in range(3)] == [BeginStatus.HIT] * 3
    assert near.store.asked == []
    assert near.count(session) == before + 3


@pytest.mark.parametrize(
    ("changes", "asked"),
    [({}, {"near": False}), ({}, {"reuse": False}), ({"retain_session": False}, {})],
    ids=["with a key", "no-cache", "not retained"],
)
def test_some_executions_always_make_the_trip(
    near: Near, changes: dict[str, object], asked: dict[str, bool]
) -> None:
    session = near.kept(**changes)
    near.begin(session, **asked)  # type: ignore[arg-type]
    assert near.store.asked == ["begin"]


def test_what_this_process_changes_is_known_to_it(near: Near) -> None:
    session = near.kept()
    keys = near.cache.execution_keys(session, {}, reuse=False, lease_ms=1000)
    near.cache.finish(keys, Outcome(Run(Raw(b"2"), 1.5)))
    reply = near.cache.begin(keys._replace(reuse=True), None, alive=False)
    assert reply.value is not None
    assert b"2" in reply.value
    near.cache.drop_results("alice", "python", session.script_hash)
    assert near.begin(session) is BeginStatus.LEAD
    near.cache.finish(keys, Outcome(Run(Raw(b"2"), 1.5)))
    near.cache.end_session(session, "deleted")
    assert near.begin(session) is BeginStatus.SESSION


def test_a_session_that_the_store_does_not_know_is_not_in_the_copy(near: Near) -> None:
    session = near.kept()
    near.copy.empty()
    near.store.store = MemoryBackend()
    keys = near.cache.execution_keys(session, {}, reuse=True, lease_ms=1000)
    near.cache.finish(keys, Outcome(Run(Raw(b"1"), 1.5)))
    assert near.cache.begin(keys, None, alive=True).status is BeginStatus.HIT
    assert near.copy.find(keys.session, keys.result) is None


@pytest.fixture
def telling(near: Near) -> Iterator[Near]:
    near.near.start()
    yield near
    near.near.close()


def test_hits_are_told_after_a_while(telling: Near) -> None:
    session = telling.kept()
    telling.begin(session)
    until_greenlets(lambda: "count_hits" in telling.store.asked, "hits are told")
    assert telling.meter.hits == 1


def test_the_last_hits_are_told_at_the_end(near: Near) -> None:
    sessions = [near.kept() for _ in range(SLICE + 1)]
    before = [near.count(session) for session in sessions]
    for session in sessions:
        near.begin(session)
    near.store.asked.clear()
    near.near.close()
    assert near.store.asked == ["count_hits"] * 2 + ["ping"]
    assert [near.count(session) for session in sessions] == [number + 1 for number in before]


class Log(NoLog):
    """Keeps the rows, as PostgreSQL is to count them."""

    def __init__(self) -> None:
        self.counted: list[bool] = []

    def record(self, *writes: Write) -> None:
        self.counted += [json.loads(write.row)["counted"] for write in writes if write.row is not None]


def answered(near: Near, session: Session, log: Log, hits: int) -> None:
    """Hits that are answered, as the workflow has it."""
    calls = CallFactory("execute", MetricsCollector(CollectorRegistry()), UNTRACED, log, DEFAULT_MASKER)
    for _ in range(hits):
        one = call(calls, session_id=session.request_id, run=Run(Raw(b"1"), 1.5))
        keys = near.cache.execution_keys(session, {}, reuse=True, lease_ms=1000, later=one)
        assert near.cache.begin(keys, None, alive=False).status is BeginStatus.HIT
        one.answered(200)


def test_hits_that_the_store_did_not_count_are_counted_in_their_rows(near: Near) -> None:
    sessions, log = [near.kept() for _ in range(2 * SLICE)], Log()
    before = near.count(sessions[0])
    for session in sessions:
        answered(near, session, log, 2)
    near.store.away = True
    near.near.flush()
    assert log.counted == [False] * 4 * SLICE
    near.store.away = False
    near.near.flush()
    answered(near, sessions[0], log, 1)
    assert near.count(sessions[0]) == before + 1
    assert log.counted[4 * SLICE :] == [True]


def test_hits_of_a_session_that_the_store_has_lost_are_counted_in_their_rows(near: Near) -> None:
    lost, log = near.kept(), Log()
    answered(near, lost, log, 2)
    near.store.store = MemoryBackend()
    kept = near.kept()
    answered(near, kept, log, 1)
    assert log.counted == [], "rows wait for the store"
    near.near.flush()
    assert log.counted == [False, False, True]


class Busy(MemoryBackend):
    """A store in memory. While it counts some hits, the process answers another one."""

    def __init__(self, hit: Callable[[], object]) -> None:
        super().__init__()
        self._hit = hit

    def count_hits(self, hits: Mapping[str, tuple[int, datetime]]) -> Collection[str]:
        self._hit()
        return super().count_hits(hits)


def test_new_hits_do_not_lengthen_a_batch(near: Near) -> None:
    near.store.store = Busy(lambda: near.begin(session))
    session = near.kept()
    near.begin(session)
    near.near.flush()
    assert near.store.asked == ["count_hits"]


def test_leases_save_trips(near: Near) -> None:
    session = near.kept()
    for _ in range(200):
        assert near.begin(session, window=LARGE) is BeginStatus.HIT
    assert near.store.asked.count("begin") < 100


def test_places_that_are_not_used_in_time_are_given_back() -> None:
    held, windows = Leases(), Windows()
    places = 1
    while places == 1:
        # The first request asks for its own place alone.
        places = held.wanted(LARGE)
    held.came(LARGE, monotonic(), windows.take(LARGE, places))
    unused: list[Unused] = []
    while not unused:
        unused.extend(held.ended())
        gevent.sleep(0.01)
    assert held.take(LARGE) is None
    assert [each.places for each in unused] == [places - 1]
    windows.give_back(*unused[0])
    assert windows.take(LARGE).remaining == LARGE.limit - 2


def test_a_small_limit_is_charged_one_by_one(near: Near) -> None:
    session = near.kept()
    small = Window("v2:rate:execute:alice", leases.LIMIT_MIN - 1, 60_000)
    for _ in range(20):
        near.begin(session, window=small)
    assert near.store.asked == ["begin"] * 20


def test_one_trip_at_a_time_asks_for_places() -> None:
    held = Leases()
    places = 1
    while places == 1:
        places = held.wanted(LARGE)
    assert [held.wanted(LARGE) for _ in range(3)] == [1, 1, 1]
    held.came(LARGE, monotonic(), None)
    assert held.take(LARGE) is None
    while places == 1:
        places = held.wanted(LARGE)
    assert places > 1
