"""What a cache's store must do: the one in memory and the one in Redis pass the same suite."""

import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from controller.cache.backend import Backend, Lookup, SessionEntry
from controller.cache.memory import MemoryBackend
from controller.cache.redis import RedisBackend
from controller.errors import CacheUnavailable
from local.redis import RedisServer
from tests.waiting import until


@pytest.fixture(params=["memory", "redis"])
def backend(request: pytest.FixtureRequest) -> Backend:
    if request.param == "memory":
        return MemoryBackend()
    return RedisBackend(request.getfixturevalue("redis_server").url, timeout=2)


@pytest.fixture
def key() -> str:
    return str(uuid.uuid4())


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=60)


def entry(count: int = 0, state: str = "active") -> SessionEntry:
    return SessionEntry(state, '{"a": "é"}', count, None)


def test_what_was_never_set_is_not_there(backend: Backend, key: str) -> None:
    assert backend.get(key) is None
    assert backend.session(key) is None
    assert backend.lookup(key, f"{key}:result", soon()) == Lookup(None, None)


def test_a_value_is_kept_and_expires(backend: Backend, key: str) -> None:
    backend.set(key, b"\0\xff", 1)
    assert backend.get(key) == b"\0\xff"
    until(lambda: backend.get(key) is None, "the value expires", timeout=5)
    assert backend.get(key) is None


def test_a_session_is_kept_with_its_counter(backend: Backend, key: str) -> None:
    backend.put_session(key, entry(count=3), soon())
    assert backend.session(key) == entry(count=3)


def test_a_session_expires(backend: Backend, key: str) -> None:
    backend.put_session(key, entry(), datetime.now(UTC) + timedelta(milliseconds=200))
    until(lambda: backend.session(key) is None, "the session expires", timeout=5)
    assert backend.lookup(key, None, soon()).state is None


def test_a_finished_execution_counts_and_keeps_its_result(backend: Backend, key: str) -> None:
    moment = datetime.now(UTC)
    backend.put_session(key, entry(), soon())
    backend.finish(key, f"{key}:result", b"result", 60, moment)
    assert backend.session(key) == SessionEntry("active", '{"a": "é"}', 1, moment)
    assert backend.get(f"{key}:result") == b"result"


def test_a_failed_execution_counts_and_keeps_nothing(backend: Backend, key: str) -> None:
    backend.put_session(key, entry(), soon())
    backend.finish(key, f"{key}:result", None, 60, soon())
    found = backend.session(key)
    assert found is not None
    assert found.count == 1
    assert backend.get(f"{key}:result") is None


def test_nothing_is_kept_for_no_time(backend: Backend, key: str) -> None:
    backend.finish(key, f"{key}:result", b"result", 0, soon())
    assert backend.get(f"{key}:result") is None


def test_only_a_hit_counts(backend: Backend, key: str) -> None:
    backend.put_session(key, entry(), soon())
    result = f"{key}:result"
    assert backend.lookup(key, result, soon()) == Lookup("active", None)
    backend.finish(key, result, b"result", 60, soon())
    assert backend.lookup(key, None, soon()) == Lookup("active", None)
    assert backend.lookup(key, result, soon()) == Lookup("active", b"result")
    found = backend.session(key)
    assert found is not None
    assert found.count == 2


def test_an_unknown_session_is_not_counted_into_being(backend: Backend, key: str) -> None:
    backend.finish(key, f"{key}:result", b"result", 60, soon())
    assert backend.session(key) is None
    assert backend.lookup(key, f"{key}:result", soon()) == Lookup(None, None)


def test_an_ended_session_answers_nothing(backend: Backend, key: str) -> None:
    backend.put_session(key, entry(), soon())
    backend.finish(key, f"{key}:result", b"result", 60, soon())
    backend.end_session(key, "deleted", soon())
    assert backend.lookup(key, f"{key}:result", soon()) == Lookup("deleted", None)


def test_an_end_is_not_undone_by_who_comes_late(backend: Backend, key: str) -> None:
    backend.end_session(key, "deleted", soon())
    backend.put_session(key, entry(), soon())
    assert backend.lookup(key, None, soon()).state == "deleted"


def test_a_counter_is_not_set_back_by_who_comes_late(backend: Backend, key: str) -> None:
    backend.put_session(key, entry(), soon())
    backend.finish(key, f"{key}:result", None, 60, soon())
    backend.put_session(key, entry(), soon())
    found = backend.session(key)
    assert found is not None
    assert found.count == 1


def test_redis_that_is_away_is_said_to_be_away(own_redis_server: RedisServer, key: str) -> None:
    backend = RedisBackend(own_redis_server.url, timeout=1)
    backend.set(key, b"x", 60)
    own_redis_server.stop()
    for operation in (
        backend.ping,
        lambda: backend.get(key),
        lambda: backend.set(key, b"x", 60),
        lambda: backend.lookup(key, key, soon()),
        lambda: backend.finish(key, key, b"x", 60, soon()),
        lambda: backend.put_session(key, entry(), soon()),
        lambda: backend.session(key),
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
    assert time.monotonic() - started < 5
