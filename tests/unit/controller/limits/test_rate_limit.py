"""RateLimiter and Admission on a store in memory: which window a request uses, and when its slot is taken."""

import pytest

from controller.cache.backend import Quota, Window
from controller.cache.manager import CacheManager
from controller.cache.memory import MemoryBackend
from controller.cache.sliding_windows import KEYS_MAX, Windows
from controller.errors import RateLimited
from controller.limits.rate_limit import MINUTE_MS, Admission, RateLimiter
from controller.limits.settings import Limits
from controller.models.registered import Identity

ALICE, BOB = (Identity(name, frozenset()) for name in ("alice", "bob"))
ANONYMOUS = Identity("anonymous", frozenset(), anonymous=True)


@pytest.fixture
def cache() -> CacheManager:
    return CacheManager(MemoryBackend(), 60, 60)


@pytest.fixture
def limiter(cache: CacheManager) -> RateLimiter:
    return RateLimiter(cache, Limits(execute=2, anonymous=1, initialize=0, functions=1, manage=1))


def test_each_user_has_a_window_of_their_own_for_each_endpoint(limiter: RateLimiter) -> None:
    for _ in range(2):
        limiter.admission("execute", ALICE, "").charge()
    with pytest.raises(RateLimited):
        limiter.admission("execute", ALICE, "").charge()
    limiter.admission("execute", BOB, "").charge()
    limiter.admission("functions", ALICE, "").charge()


def test_without_a_token_the_address_counts(limiter: RateLimiter) -> None:
    limiter.admission("execute", ANONYMOUS, "192.0.2.1").charge()
    with pytest.raises(RateLimited):
        limiter.admission("execute", ANONYMOUS, "192.0.2.1").charge()
    limiter.admission("execute", ANONYMOUS, "192.0.2.2").charge()


def test_an_endpoint_without_a_limit_admits_all_and_sends_no_headers(limiter: RateLimiter) -> None:
    admission = limiter.admission("initialize", ALICE, "")
    admission.charge()
    assert (admission.window, admission.headers()) == (None, {})


def test_a_place_is_taken_once(limiter: RateLimiter) -> None:
    admission = limiter.admission("execute", ALICE, "")
    for _ in range(3):
        admission.charge()
    assert admission.headers()["RateLimit-Remaining"] == "1"


def test_a_place_that_another_trip_took_is_not_taken_again(cache: CacheManager) -> None:
    window = Window("k", 2, MINUTE_MS)
    admission = Admission(cache, window)
    admission.charge(cache.take(window))
    admission.charge()
    assert admission.headers()["RateLimit-Remaining"] == "1"
    assert cache.take(window).allowed


def test_a_refusal_says_when_to_come_again(cache: CacheManager) -> None:
    admission = Admission(cache, Window("k", 7, MINUTE_MS))
    with pytest.raises(RateLimited) as refused:
        admission.charge(Quota(allowed=False, remaining=0, reset_ms=12_345))
    assert refused.value.headers() == {"Retry-After": "13"}
    assert admission.headers() == {
        "RateLimit-Limit": "7",
        "RateLimit-Remaining": "0",
        "RateLimit-Reset": "13",
    }


def test_windows_in_memory_are_bounded() -> None:
    windows = Windows()
    first = Window("first", 1, MINUTE_MS)
    assert windows.take(first).allowed
    assert not windows.take(first).allowed
    for number in range(KEYS_MAX):
        windows.take(Window(str(number), 1, MINUTE_MS))
    assert windows.take(first).allowed
