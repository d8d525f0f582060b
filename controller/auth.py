"""Who calls: a bearer token to an Identity, and the scopes it must hold."""

from collections import OrderedDict
from time import time

import jwt

from controller.errors import Forbidden, Unauthorized
from controller.models import Identity

ALGORITHMS = ("HS256",)
"""Pinned here: what a token says of its own algorithm counts for nothing."""
SUBJECT_MAX = 255
REMEMBERED_TOKENS = 10_000


class Authenticator:
    """Checks tokens.

    Checking a signature costs more than all else on a warm call, so a token that held is remembered until it
    expires.

    Args:
        secret: the key of HS256.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._known: OrderedDict[str, tuple[float, Identity]] = OrderedDict()

    def identify(self, authorization: str | None) -> Identity:
        """Who the `Authorization` header speaks for.

        Raises:
            Unauthorized: no bearer token, or one that does not hold.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized("a bearer token is needed")
        known = self._known.get(token)
        if known is not None and known[0] > time():
            return known[1]
        expires, identity = self._decode(token)
        self._known[token] = expires, identity
        if len(self._known) > REMEMBERED_TOKENS:
            self._known.popitem(last=False)
        return identity

    def _decode(self, token: str) -> tuple[float, Identity]:
        try:
            claims = jwt.decode(
                token, self._secret, algorithms=ALGORITHMS, options={"require": ["sub", "exp"]}
            )
        except jwt.ExpiredSignatureError as error:
            raise Unauthorized("the token has expired") from error
        except (jwt.PyJWTError, ValueError) as error:
            raise Unauthorized("the token is not valid") from error
        subject, scope = claims["sub"], claims.get("scope", "")
        if not subject or len(subject) > SUBJECT_MAX or not subject.isprintable():
            raise Unauthorized("the token's subject is not usable")
        words = scope.split() if isinstance(scope, str) else scope
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise Unauthorized("the token's scope is neither a string nor a list of strings")
        return float(claims["exp"]), Identity(subject, frozenset(words))


def require_execute(identity: Identity, language: str) -> None:
    """Raises Forbidden unless the token may execute the language."""
    if not identity.scopes & {"execute:all", f"execute:{language}"}:
        raise Forbidden(f"the token lacks the scope execute:{language}")


def require_scope(identity: Identity, scope: str) -> None:
    """Raises Forbidden unless the token holds the scope."""
    if scope not in identity.scopes:
        raise Forbidden(f"the token lacks the scope {scope}")
