"""Authenticator: which tokens hold, and which scopes they need."""

import base64
import hmac
import json
import time
from typing import Any

import jwt
import pytest

from controller.auth.authenticator import Authenticator, require_execute, require_scope
from controller.auth.signing_keys import FixedKey
from controller.errors import Forbidden, Unauthorized
from controller.models.registered import Identity
from tests.signing import SigningKey

SECRET = "s" * 32
KEY = FixedKey("HS256", SECRET)
AUTHENTICATOR = Authenticator(KEY, "HS256")


def token(secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    claims = {"sub": "alice", "exp": time.time() + 60, "scope": "execute:all"} | claims
    present = {name: value for name, value in claims.items() if value is not None}
    return "Bearer " + jwt.encode(present, secret, algorithm=algorithm)


def unsigned() -> str:
    parts = [{"alg": "none", "typ": "JWT"}, {"sub": "alice", "exp": time.time() + 60}]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return f"Bearer {'.'.join(encoded)}."


@pytest.mark.parametrize("scope", ["execute:all read:functions", ["execute:all", "read:functions"]])
def test_a_token_that_holds(scope: Any) -> None:
    identity = AUTHENTICATOR.identify(token(scope=scope))
    assert identity == Identity("alice", frozenset({"execute:all", "read:functions"}))


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "Bearer a.b.c",
        token(secret="x" * 32),
        token(exp=time.time() - 1),
        token(exp=None),
        token(sub=None),
        token(sub=""),
        token(sub="a\nb"),
        token(sub="x" * 256),
        token(sub="anonymous"),
        token(sub=7),
        token(exp="soon"),
        token(exp=10**400),
        token(nbf=time.time() + 60),
        SigningKey("RS256").bearer(),
        "Bearer \N{LATIN SMALL LETTER E WITH ACUTE}.b.c",
        "Bearer " + "a." * 5000,
        token(scope=5),
        token(scope=[1]),
        token(secret=SECRET * 2, algorithm="HS512"),
        unsigned(),
    ],
)
def test_a_token_that_does_not_hold(authorization: str | None) -> None:
    with pytest.raises(Unauthorized) as refused:
        AUTHENTICATOR.identify(authorization)
    assert refused.value.headers() == {"WWW-Authenticate": "Bearer"}


def test_the_secret_of_a_public_key_is_no_secret() -> None:
    """Who signs with the text of the public key as an HS256 secret is refused: the algorithm is pinned."""
    pem = SigningKey("RS256").public_pem
    head, claims = ({"alg": "HS256", "typ": "JWT"}, {"sub": "alice", "exp": time.time() + 60})
    signed = b".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (head, claims)
    )
    mac = base64.urlsafe_b64encode(hmac.digest(pem.encode(), signed, "sha256")).rstrip(b"=")
    with pytest.raises(Unauthorized):
        Authenticator(FixedKey("RS256", pem), "RS256").identify(f"Bearer {(signed + b'.' + mac).decode()}")


@pytest.mark.parametrize(
    ("claims", "holds"),
    [
        ({"iss": "us", "aud": "here"}, True),
        ({"iss": "us", "aud": ["there", "here"]}, True),
        ({"iss": "them", "aud": "here"}, False),
        ({"iss": "us", "aud": "there"}, False),
        ({"iss": "us"}, False),
        ({"aud": "here"}, False),
    ],
)
def test_issuer_and_audience_count_when_configured(claims: dict[str, Any], holds: bool) -> None:
    strict = Authenticator(KEY, "HS256", issuer="us", audience="here")
    if holds:
        assert strict.identify(token(**claims)).subject == "alice"
    else:
        with pytest.raises(Unauthorized):
            strict.identify(token(**claims))
    assert AUTHENTICATOR.identify(token(**claims)).subject == "alice"


def test_clocks_may_differ_by_the_leeway() -> None:
    lenient = Authenticator(KEY, "HS256", leeway=30)
    late = token(exp=time.time() - 10)
    assert lenient.identify(late) == lenient.identify(late)
    with pytest.raises(Unauthorized, match="expired"):
        lenient.identify(token(exp=time.time() - 40))


def test_without_a_token_one_is_anonymous_where_that_is_allowed() -> None:
    scopes = frozenset({"execute:python"})
    open_house = Authenticator(KEY, "HS256", anonymous=scopes)
    assert open_house.identify(None) == Identity("anonymous", scopes, anonymous=True)
    for authorization in ("", "Bearer a.b.c", token(exp=time.time() - 1)):
        with pytest.raises(Unauthorized):
            open_house.identify(authorization)


def test_a_remembered_token_still_expires() -> None:
    soon = token(exp=time.time() + 1)
    assert AUTHENTICATOR.identify(soon).subject == "alice"
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            AUTHENTICATOR.identify(soon)
        except Unauthorized:
            break
    with pytest.raises(Unauthorized, match="expired"):
        AUTHENTICATOR.identify(soon)


@pytest.mark.parametrize("scopes", [{"execute:all"}, {"execute:python"}])
def test_a_scope_that_suffices(scopes: set[str]) -> None:
    identity = Identity("alice", frozenset(scopes))
    require_execute(identity, "python")
    assert identity.scopes == scopes


@pytest.mark.parametrize(
    "scopes", [set(), {"execute:rust"}, {"execute"}, {"read:functions"}, {"execute:all2"}]
)
def test_a_scope_that_is_missing(scopes: set[str]) -> None:
    with pytest.raises(Forbidden):
        require_execute(Identity("alice", frozenset(scopes)), "python")


def test_reading_functions_needs_its_own_scope() -> None:
    with pytest.raises(Forbidden):
        require_scope(Identity("alice", frozenset({"execute:all"})), "read:functions")
