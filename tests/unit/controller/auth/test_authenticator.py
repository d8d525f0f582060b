"""Authenticator: which tokens hold."""

import base64
import hmac
import json
import re
import time
from typing import Any

import jwt
import pytest

from controller.auth.authenticator import Authenticator
from controller.auth.signing_keys import FixedKey
from controller.errors import TokenMissing, Unauthorized
from controller.models.registered import Identity
from tests.signing import SigningKey

SECRET = "s" * 32
KEY = FixedKey("HS256", SECRET)
AUTHENTICATOR = Authenticator(KEY, "HS256")


QUOTED = re.compile(r'Bearer error="invalid_token", error_description="[ !#-\[\]-~]+"')
DAY = 86_400


def token(secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    claims = {"sub": "alice", "exp": time.time() + DAY, "scope": "execute:all"} | claims
    present = {name: value for name, value in claims.items() if value is not None}
    return "Bearer " + jwt.encode(present, secret, algorithm=algorithm)


def unsigned() -> str:
    parts = [{"alg": "none", "typ": "JWT"}, {"sub": "alice", "exp": time.time() + 60}]
    return f"Bearer {'.'.join(encoded(json.dumps(part)) for part in parts)}."


def encoded(part: str) -> str:
    return base64.urlsafe_b64encode(part.encode()).decode().rstrip("=")


def signed(claims: str, head: str = '{"alg": "HS256", "typ": "JWT"}') -> str:
    """A token with this text as its claims, which may be what no library writes."""
    text = f"{encoded(head)}.{encoded(claims)}"
    mac = base64.urlsafe_b64encode(hmac.digest(SECRET.encode(), text.encode(), "sha256")).rstrip(b"=")
    return f"Bearer {text}.{mac.decode()}"


@pytest.mark.parametrize("scope", ["execute:all read:functions", ["execute:all", "read:functions"]])
@pytest.mark.parametrize("claim", ["scope", "scp"])
def test_a_token_that_holds(scope: Any, claim: str) -> None:
    identity = AUTHENTICATOR.identify(token(**{"scope": None, claim: scope}))
    assert identity == Identity("alice", frozenset({"execute:all", "read:functions"}))


@pytest.mark.parametrize("scope", ["execute:rust", ["execute:rust"], "", []])
def test_scp_does_not_count_beside_scope(scope: Any) -> None:
    identity = AUTHENTICATOR.identify(token(scope=scope, scp="execute:all"))
    assert identity.scopes == ({"execute:rust"} if scope else frozenset())


@pytest.mark.parametrize(
    "claims",
    [
        {"scope": None},
        {"aud": ["some", "where"]},
        {"exp": 1e300},
        {"exp": time.time() + DAY + 0.5, "iat": time.time() - 0.5, "nbf": 0},
        {"exp": str(int(time.time()) + DAY)},
        {"sub": "Zo\xeb \U0001f600"},
    ],
)
def test_unusual_claims_that_hold(claims: dict[str, Any]) -> None:
    subject = claims.get("sub", "alice")
    assert AUTHENTICATOR.identify(token(**claims)).subject == subject


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
@pytest.mark.parametrize(("before", "after"), [(" ", ""), ("  ", ""), ("     ", " "), (" ", "   ")])
def test_a_scheme_in_any_case_and_several_spaces(scheme: str, before: str, after: str) -> None:
    bare = token().removeprefix("Bearer ")
    assert AUTHENTICATOR.identify(scheme + before + bare + after).subject == "alice"


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer    ",
        "Basic YTpi",
        "Bearer:a.b.c",
        token().removeprefix("Bearer "),
    ],
)
def test_without_a_bearer_token(authorization: str | None) -> None:
    """RFC 6750: a request that has no token is told of no error."""
    with pytest.raises(TokenMissing, match="token is missing") as refused:
        AUTHENTICATOR.identify(authorization)
    assert refused.value.headers() == {"WWW-Authenticate": "Bearer"}


STRICT = Authenticator(KEY, "HS256", issuer="us", audience="here")


@pytest.mark.parametrize(
    ("authorization", "words"),
    [
        (token(exp=time.time() - DAY), "expired"),
        (token(exp=-1), "expired"),
        (token(exp=True), "expired"),
        (token(exp="soon", iss="us", aud="here"), "malformed"),
        (token(exp=10**400, iss="us", aud="here"), "malformed"),
        (token(nbf=time.time() + DAY), "not yet valid"),
        (token(iat=time.time() + DAY), "not yet valid"),
        (token(nbf=10**400), "not yet valid"),
        (token(aud="there", iss="us"), "another audience"),
        (token(aud=["there", 5], iss="us"), "another audience"),
        (token(aud={"here": 1}, iss="us"), "another audience"),
        (token(aud=[], iss="us"), "no audience"),
        (token(aud="here", iss="them"), "another issuer"),
        (signed('{"sub": "a", "exp": 9999999999, "aud": "here", "iss": ["us"]}'), "another issuer"),
        (token(aud="here"), "no issuer"),
        (token(exp=None), "no expiry"),
        (token(sub=None), "no subject"),
        (token(sub="", iss="us", aud="here"), "subject"),
        *((token(sub=sub, iss="us", aud="here"), "subject") for sub in (["alice"], 7, "a\nb", "x" * 256)),
        (token(sub="anonymous", iss="us", aud="here"), "subject"),
        (signed('{"sub": "\\ud800", "exp": 9999999999, "iss": "us", "aud": "here"}'), "subject"),
        (token(secret="x" * 32), "wrong signature"),
        (token() + "A", "malformed|wrong signature"),
        (token(secret=SECRET * 2, algorithm="HS512"), "wrong algorithm"),
        *((SigningKey(name).bearer(), "wrong algorithm") for name in ("ES256", "RS256")),
        (unsigned(), "wrong algorithm"),
        (signed("{}", '{"alg": "hs256"}'), "wrong algorithm"),
        (signed("{}", "{}"), "wrong algorithm"),
        (signed("[]"), "malformed"),
        (signed("{"), "malformed"),
        (signed("[" * 5000), "malformed"),
        (signed('{"sub": "a", "exp": ' + "9" * 5000 + "}"), "malformed"),
        (signed('{"sub": "a", "exp": Infinity}'), "malformed"),
        (signed('{"sub": "a", "exp": NaN}'), "malformed"),
        (signed('{"sub": "a", "exp": 1e999}'), "malformed"),
        (signed('{"sub": "a", "exp": 9999999999, "nbf": -Infinity}'), "malformed"),
        (signed('{"sub": "a", "exp": 9999999999, "iat": "noon"}'), "malformed"),
        (signed("{}", '{"alg": "HS256", "kid": 7}'), "malformed"),
        (signed("{}", '{"alg": "HS256", "crit": ["x"]}'), "malformed"),
        ("Bearer a.b.c", "malformed"),
        ("Bearer a b", "malformed"),
        ("Bearer " + "a." * 5000, "malformed"),
        ("Bearer a.b.c, Bearer d.e.f", "malformed"),
        ("Bearer \xe9.b.c", "malformed"),
        (token(scope=5, iss="us", aud="here"), "scope"),
        (token(scope=[1], iss="us", aud="here"), "scope"),
        (token(scope=None, scp={"a": 1}, iss="us", aud="here"), "scope"),
    ],
)
def test_a_refusal_says_what_is_wrong(authorization: str, words: str) -> None:
    with pytest.raises(Unauthorized, match=words) as refused:
        STRICT.identify(authorization)
    told = refused.value.headers()["WWW-Authenticate"]
    assert QUOTED.fullmatch(told)
    assert refused.value.message in told
    assert SECRET not in told


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


@pytest.mark.parametrize("audience", ["here", ["there", "here"]])
def test_issuer_and_audience_count_when_configured(audience: Any) -> None:
    assert STRICT.identify(token(iss="us", aud=audience)).subject == "alice"
    assert AUTHENTICATOR.identify(token(iss="them", aud="there")).subject == "alice"


def test_clocks_may_differ_by_the_leeway() -> None:
    lenient = Authenticator(KEY, "HS256", leeway=30)
    late = token(exp=time.time() - 10)
    assert lenient.identify(late) == lenient.identify(late)
    for claim in ("nbf", "iat"):
        ahead: dict[str, Any] = {claim: time.time() + 10}
        assert lenient.identify(token(**ahead)).subject == "alice"
        with pytest.raises(Unauthorized, match="not yet valid"):
            lenient.identify(token(**(ahead | {claim: time.time() + 60})))
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
