"""The development token."""

import jwt
import pytest

from local.token import token

SECRET = "a secret of at least thirty-two characters"


def test_a_token_names_its_user_and_its_scopes() -> None:
    claims = jwt.decode(token(SECRET, "alice", "execute:python", 60), SECRET, algorithms=["HS256"])
    assert claims["sub"] == "alice"
    assert claims["scope"] == "execute:python"
    assert claims["exp"] - claims["iat"] == 60


def test_a_token_ends() -> None:
    with pytest.raises(jwt.ExpiredSignatureError):
        jwt.decode(token(SECRET, ttl=-1), SECRET, algorithms=["HS256"])
