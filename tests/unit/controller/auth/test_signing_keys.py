"""JwksKeys against a real JWKS server: rotation, outage, and strangers who make us ask."""

import time
from collections.abc import Iterator

import gevent
import pytest

from controller.auth.authenticator import Authenticator
from controller.auth.signing_keys import FETCH_DEADLINE, FETCH_INTERVAL, KEYS_MAX_AGE, FixedKey, JwksKeys
from controller.errors import Unauthorized
from tests.signing import JwksServer, SigningKey
from tests.unit.controller.heart import Clock


@pytest.fixture
def server() -> Iterator[JwksServer]:
    with JwksServer.running() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


def authenticator(server: JwksServer, clock: Clock, algorithm: str = "RS256") -> Authenticator:
    return Authenticator(JwksKeys(algorithm, server.url, clock), algorithm)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_keys_come_from_the_server_once(server: JwksServer, clock: Clock, algorithm: str) -> None:
    key = SigningKey(algorithm)
    server.keys = [key.jwk()]
    checked = authenticator(server, clock, algorithm)
    assert [checked.identify(key.bearer(sub=name)).subject for name in ("alice", "bob")] == ["alice", "bob"]
    assert server.asked == 1


def test_a_new_key_is_asked_for(server: JwksServer, clock: Clock) -> None:
    old, new = SigningKey("RS256", "old"), SigningKey("RS256", "new")
    server.keys = [old.jwk()]
    checked = authenticator(server, clock)
    checked.identify(old.bearer())
    server.keys = [old.jwk(), new.jwk()]
    clock.now += FETCH_INTERVAL
    assert checked.identify(new.bearer()).subject == "alice"
    assert checked.identify(old.bearer(sub="bob")).subject == "bob"
    assert server.asked == 2


def test_unknown_keys_do_not_make_us_ask_again_and_again(server: JwksServer, clock: Clock) -> None:
    key = SigningKey("RS256")
    server.keys = [key.jwk()]
    checked = authenticator(server, clock)
    checked.identify(key.bearer())
    clock.now += FETCH_INTERVAL
    for number in range(20):
        with pytest.raises(Unauthorized, match="key is not known"):
            checked.identify(key.bearer(key_id=f"made-up-{number}"))
    assert server.asked == 2


def test_a_withdrawn_key_ends_when_its_time_has_come(server: JwksServer, clock: Clock) -> None:
    old, new = SigningKey("RS256", "old"), SigningKey("RS256", "new")
    server.keys = [old.jwk()]
    checked = authenticator(server, clock)
    checked.identify(old.bearer())
    server.keys = [new.jwk()]
    clock.now += KEYS_MAX_AGE
    assert checked.identify(old.bearer(sub="still")).subject == "still"
    gevent.sleep(0)
    with pytest.raises(Unauthorized, match="key is not known"):
        checked.identify(old.bearer(sub="no longer"))


@pytest.mark.parametrize("status", [500, 404, 302])
def test_an_outage_takes_no_known_key_away(server: JwksServer, clock: Clock, status: int) -> None:
    key = SigningKey("RS256")
    server.keys = [key.jwk()]
    checked = authenticator(server, clock)
    checked.identify(key.bearer())
    server.status = status
    clock.now += KEYS_MAX_AGE
    checked.identify(key.bearer(sub="during"))
    gevent.sleep(0)
    assert server.asked == 2
    assert checked.identify(key.bearer(sub="after")).subject == "after"


def test_a_server_without_keys_takes_none_away(server: JwksServer, clock: Clock) -> None:
    key = SigningKey("RS256")
    server.keys = [key.jwk()]
    checked = authenticator(server, clock)
    checked.identify(key.bearer())
    server.keys = []
    clock.now += FETCH_INTERVAL
    with pytest.raises(Unauthorized):
        checked.identify(key.bearer(key_id="other"))
    assert checked.identify(key.bearer(sub="bob")).subject == "bob"


def test_a_server_that_hangs_is_left_at_the_deadline(server: JwksServer, clock: Clock) -> None:
    server.answering.clear()
    checked = authenticator(server, clock)
    started = time.monotonic()
    with pytest.raises(Unauthorized):
        checked.identify(SigningKey("RS256").bearer())
    assert time.monotonic() - started < FETCH_DEADLINE + 30


def test_a_key_for_another_algorithm_is_left_out(server: JwksServer, clock: Clock) -> None:
    """A symmetric key in the list would let everybody who can read it sign."""
    other = SigningKey("ES384")
    shared = {"kty": "oct", "k": "c2VjcmV0" * 8, "kid": "shared", "alg": "HS256"}
    server.keys = [other.jwk(), shared]
    checked = authenticator(server, clock, "ES256")
    for key_id in ("first", "shared"):
        with pytest.raises(Unauthorized, match="key is not known"):
            checked.identify(other.bearer(key_id=key_id))


def test_anothers_signature_under_a_known_key_id_is_refused(server: JwksServer, clock: Clock) -> None:
    server.keys = [SigningKey("RS256").jwk()]
    with pytest.raises(Unauthorized, match="wrong signature"):
        authenticator(server, clock).identify(SigningKey("RS256").bearer())


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_public_key_in_pem(algorithm: str) -> None:
    key = SigningKey(algorithm)
    checked = Authenticator(FixedKey(algorithm, key.public_pem), algorithm)
    assert checked.identify(key.bearer()).subject == "alice"
    with pytest.raises(Unauthorized):
        checked.identify(SigningKey(algorithm).bearer())
