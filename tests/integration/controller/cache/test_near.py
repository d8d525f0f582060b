"""Copies of results in two processes on one Redis: random operations beside a model with the contract's lag."""

import os
import signal
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import gevent
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from redis import Redis

from controller.cache.backend import BeginStatus, ExecutionKeys, Window
from controller.cache.keys import counter_key, session_key
from controller.cache.manager import CacheManager
from controller.cache.near_copy import NearCopy
from controller.cache.near_hits import NearHits
from controller.cache.redis import RedisBackend
from controller.cache.tracking import LAG, Tracking
from controller.models.outcome import Outcome, Run
from controller.models.registered import Session
from local.stores.redis import RedisServer
from tests.calls import Told, new_session
from tests.waiting import until_greenlets

#: More examples for a longer look: `NEAR_EXAMPLES=1000 pytest ...`.
EXAMPLES = int(os.environ.get("NEAR_EXAMPLES", "12"))


class Copy:
    """What one process has of the cache."""

    def __init__(self, url: str) -> None:
        self.backend = RedisBackend(url, timeout=10)
        self.copy = NearCopy(1 << 20)
        self.near = NearHits(self.backend, self.copy)
        self.tracking = Tracking(url, 10, self.copy, self.backend.opened)
        self.cache = CacheManager(self.backend, 60, 60, self.near)

    def keys(
        self,
        session: Session,
        number: int = 0,
        *,
        reuse: bool = True,
        claims: bool = True,
        later: Told | None = None,
    ) -> ExecutionKeys:
        later = later or Told()
        params = {"n": number}
        return self.cache.execution_keys(
            session, params, reuse=reuse, lease_ms=60_000, later=later, claims=claims
        )

    def execute(self, session: Session, value: int, keys: ExecutionKeys | None = None) -> int | None:
        """The result of an execution: `value`, if it ran. None: the session has ended."""
        keys = keys or self.keys(session)
        reply = self.cache.begin(keys, None, alive=False)
        while reply.status is BeginStatus.AWAY:
            gevent.sleep(0.001)
            reply = self.cache.begin(keys, None, alive=False)
        if reply.status is BeginStatus.SESSION:
            return None
        if reply.status is BeginStatus.HIT and reply.value is not None:
            return int(bytes(Outcome.from_json(reply.value).answer().result))
        self.cache.finish(keys, Outcome(Run(Raw(b"%d" % value), 1.5)))
        return value

    def connect(self) -> "Copy":
        until_greenlets(self.cache.available, "the connection is there")
        return self

    def has(self, session: Session) -> bool:
        """Whether the copy would answer now."""
        keys = self.keys(session)
        return self.copy.find(keys.session, keys.result) is not None

    def until_it_has(self, session: Session) -> None:
        self.cache.put_session(session)

        def asked() -> bool:
            self.execute(session, 1)
            return self.has(session)

        until_greenlets(asked, "the process has a copy")


@contextmanager
def copies(url: str) -> Iterator[tuple[Copy, Copy]]:
    two = Copy(url), Copy(url)
    for copy in two:
        copy.near.start()
        copy.tracking.start()
    try:
        yield two
    finally:
        for copy in two:
            copy.tracking.close()
            copy.near.close()


@pytest.fixture
def pair(redis_server: RedisServer) -> Iterator[tuple[Copy, Copy]]:
    with copies(redis_server.url) as two:
        yield two


@pytest.fixture
def redis(redis_server: RedisServer) -> Iterator[Redis]:
    client = Redis.from_url(redis_server.url)
    yield client
    client.close()


def cut(redis: Redis, *, reports: bool) -> None:
    """Cut the connections of all processes: those on which changes are reported, or all others."""
    for client in redis.client_list():
        if ("t" in client["flags"]) == reports and client["id"] != str(redis.client_id()):
            redis.client_kill_filter(_id=client["id"])


class History:
    """The values of something that processes change, and which of them may still be seen."""

    def __init__(self, value: int | None) -> None:
        self.value = value
        self._old: list[tuple[int | None, int, float, Callable[[], bool]]] = []

    def change(self, value: int | None, process: int, doubtful: Callable[[], bool] = bool) -> None:
        """A change that has ended now. `doubtful`: whether Redis perhaps does not know it."""
        self._old.append((self.value, process, monotonic(), doubtful))
        self.value = value

    def seen_by(self, process: int, began: float) -> set[int | None]:
        """What may be seen by a look that began then: older values of other processes for LAG, of its own never.

        A doubtful change may show or not.
        """
        seen = {self.value}
        for value, changed_by, moment, doubtful in reversed(self._old):
            if not doubtful() and (changed_by == process or moment < began - LAG):
                break
            seen.add(value)
        return seen


class World:
    """Two processes, and what they should answer."""

    def __init__(self, pair: tuple[Copy, Copy], redis: Redis) -> None:
        self._pair = pair
        self._redis = redis
        self._values = 0
        self._sessions = [new_session(script_hash=str(uuid.uuid4())) for _ in range(2)]
        self._ended = [History(0) for _ in self._sessions]
        self._told: list[list[Told]] = [[] for _ in self._sessions]
        self._lost = False
        self._results: dict[tuple[int, int], History] = defaultdict(lambda: History(None))
        for session in self._sessions:
            self._pair[0].connect().cache.put_session(session)

    def execute(self, process: int, session: int, number: int, *, reuse: bool, claims: bool) -> None:
        self._values += 1
        one, told, began = self._pair[process], Told(), monotonic()
        keys = one.keys(self._sessions[session], number, reuse=reuse, claims=claims, later=told)
        value = one.execute(self._sessions[session], self._values, keys)
        ends = self._ended[session].seen_by(process, began)
        if value is None:
            assert 1 in ends, "a live session was refused"
            return
        assert 0 in ends, "an ended session was served"
        self._told[session].append(told)
        history = self._results[session, number]
        if value == self._values:
            assert not reuse or None in history.seen_by(process, began), "a kept result was not found"
            # A result that is there already is not replaced, unless this one led all others.
            replaces = claims or not reuse or history.value is None
            history.change(value, process, lambda: told.lost or not replaces)
        else:
            assert reuse
            assert value in history.seen_by(process, began), "an older result was served"

    def delete(self, process: int, session: int) -> None:
        assert self._pair[process].connect().cache.end_session(self._sessions[session], "deleted")
        self._ended[session].change(1, process)

    def settle(self) -> None:
        """Wait until Redis knows all that was answered."""
        for one in self._pair:
            one.connect()

    def register(self, process: int, session: int) -> None:
        """A new script drops the results of the one before."""
        self.settle()
        dropped = self._sessions[session]
        self._pair[process].cache.drop_results(dropped.user_id, dropped.name.language, dropped.script_hash)
        for number in range(2):
            self._results[session, number].change(None, process)

    def expire(self, process: int, session: int) -> None:
        """A result's time is over: Redis does that, so it is no process's own change."""
        self.settle()
        key = self._pair[process].keys(self._sessions[session]).result
        self._redis.pexpire(key, 1)
        while self._redis.exists(key):
            gevent.sleep(0.001)
        self._results[session, 0].change(None, -1)

    def cut(self, *, reports: bool) -> None:
        """No greenlet runs until it is done, so what was not sent is lost."""
        cut(self._redis, reports=reports)
        self._lost = self._lost or not reports

    def wait(self, seconds: float) -> None:
        gevent.sleep(seconds)

    def check_counts(self) -> None:
        """Redis counts each execution, or its record is told that it perhaps does not."""
        for one in self._pair:
            one.near.flush()
        self.settle()
        for session, executions in zip(self._sessions, self._told, strict=True):
            kept = self._pair[0].cache.session(session.request_id)
            assert kept is not None
            assert all(len(told.answers) == told.asked for told in executions)
            lost = sum(told.lost for told in executions)
            assert 0 <= kept.execution_count - (len(executions) - lost) <= lost
            assert self._lost or not lost


Step = tuple[str, tuple[Any, ...], dict[str, bool]]


def step(name: str, *arguments: st.SearchStrategy[Any], **named: st.SearchStrategy[bool]) -> Any:
    """A call of a method of World."""
    return st.tuples(st.just(name), st.tuples(*arguments), st.fixed_dictionaries(named))


INDEX = st.integers(0, 1)
EXECUTE = step(
    "execute", INDEX, INDEX, INDEX, reuse=st.sampled_from([True, True, True, False]), claims=st.booleans()
)
WAIT = step("wait", st.sampled_from([0.0, 0.02, LAG]))
CHANGES = [step(name, INDEX, INDEX) for name in ("delete", "register", "expire")]
CUT = step("cut", reports=st.booleans())
STEPS = st.one_of(EXECUTE, EXECUTE, EXECUTE, EXECUTE, EXECUTE, EXECUTE, WAIT, WAIT, *CHANGES, CUT)


def test_two_processes_answer_as_the_contract_says(redis_server: RedisServer, redis: Redis) -> None:
    with copies(redis_server.url) as pair:

        @settings(max_examples=EXAMPLES, derandomize=EXAMPLES < 100, deadline=None, database=None)
        @given(st.lists(STEPS, min_size=10, max_size=30))
        def random(steps: list[Step]) -> None:
            world = World(pair, redis)
            for name, arguments, named in steps:
                getattr(world, name)(*arguments, **named)
            world.check_counts()

        random()


def counted(copy: Copy, session: Session) -> int:
    kept = copy.cache.session(session.request_id)
    assert kept is not None
    return kept.execution_count


def test_hits_of_a_copy_make_no_trip_and_are_counted(pair: tuple[Copy, Copy]) -> None:
    one, other = pair
    session = new_session()
    one.until_it_has(session)
    other.until_it_has(session)
    assert counted(other, session) >= 2, "the other one tells its hits"
    before, hits, executions = counted(one, session), one.near.served, 0
    while one.near.served < hits + 10:
        assert one.execute(session, 2) == 1
        executions += 1
    assert counted(one, session) == before + executions


def test_what_another_process_ends_is_gone_from_the_copy(pair: tuple[Copy, Copy]) -> None:
    one, other = pair
    session = new_session()
    one.until_it_has(session)
    other.cache.end_session(session, "deleted")
    until_greenlets(lambda: one.execute(session, 2) is None, "the session has ended", timeout=60)


def test_counting_does_not_touch_copies(pair: tuple[Copy, Copy], redis: Redis) -> None:
    one, other = pair
    session = new_session()
    one.until_it_has(session)
    seen = one.copy.invalidations
    key = session_key(session.request_id)
    for number in range(5):
        other.backend.count_hits({key: (number + 1, session.created_at)})
    assert int(redis.hget(counter_key(key), "count") or 0) >= 15
    gevent.sleep(2 * LAG)
    assert one.copy.invalidations == seen


def test_a_copy_is_empty_while_its_reports_are_cut(pair: tuple[Copy, Copy], redis: Redis) -> None:
    one, _ = pair
    session = new_session()
    one.until_it_has(session)
    breaks = one.copy.breaks
    cut(redis, reports=True)
    until_greenlets(lambda: not one.has(session) and one.copy.breaks > breaks, "the copy is empty")
    assert one.copy.bytes == 0
    one.until_it_has(session)


def test_a_silent_redis_ends_a_copy_within_its_lag(own_redis_server: RedisServer) -> None:
    with copies(own_redis_server.url) as (one, _):
        session = new_session()
        one.until_it_has(session)
        os.kill(own_redis_server.pid, signal.SIGSTOP)
        try:
            began = monotonic()
            until_greenlets(lambda: not one.has(session), "the copy is not served")
            gevent.sleep(max(0.0, began + LAG - monotonic()))
            assert not one.has(session)
        finally:
            os.kill(own_redis_server.pid, signal.SIGCONT)


def test_emptying_redis_empties_copies(own_redis_server: RedisServer) -> None:
    with copies(own_redis_server.url) as (one, _):
        session = new_session()
        one.until_it_has(session)
        with Redis.from_url(own_redis_server.url) as redis:
            redis.flushall()
        until_greenlets(lambda: one.execute(session, 2) is None, "the session is unknown", timeout=60)


@pytest.mark.parametrize("limit", [1000, 2000])
def test_two_processes_with_leases_hold_a_limit(pair: tuple[Copy, Copy], limit: int) -> None:
    session = new_session()
    pair[0].cache.put_session(session)
    window = Window(f"v2:rate:execute:{session.request_id}", limit, 600_000)
    allowed = refused = 0
    while refused < 2:
        for one in pair:
            quota = one.cache.begin(one.keys(session, reuse=False), window, alive=False).quota
            assert quota is not None
            allowed += quota.allowed
            refused += not quota.allowed
    assert limit * 0.96 <= allowed <= limit
