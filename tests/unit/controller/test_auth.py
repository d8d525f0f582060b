"""Authenticator: which tokens hold, and which scopes they need."""

import base64
import json
import time
from typing import Any

import jwt
import pytest

from controller.auth import Authenticator, require_execute, require_scope
from controller.errors import Forbidden, Unauthorized
from controller.models import Identity

SECRET = "s" * 32
AUTHENTICATOR = Authenticator(SECRET)


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
