"""Authenticator: verifies a bearer token and returns its Identity. Also checks its rights."""

import hashlib
from collections import OrderedDict
from time import time
from typing import Any, Self

import jwt

from controller.auth.api_keys import ApiKeys
from controller.auth.settings import TokenSettings
from controller.auth.signing_keys import FixedKey, JwksKeys, KeySource
from controller.errors import Forbidden, TokenMissing, Unauthorized
from controller.models.api_keys import PREFIX
from controller.models.registered import FunctionRef, Identity

EXECUTE_ALL = "execute:all"
READ = "read:functions"
WRITE = "write:functions"
#: The scope to make, list and delete keys. A key never has it.
KEYS = "keys"
#: The user id of all callers without a token. A token cannot have it as its subject.
ANONYMOUS = "anonymous"
SUBJECT_MAX = 255
REMEMBERED_TOKENS = 10_000
#: Seconds that a valid token is remembered. A withdrawn key stops working that much later.
REMEMBERED_SECONDS = 60.0
#: What a client is told of an invalid token. The first kind that fits counts. The texts name nothing of the key.
REASONS: tuple[tuple[type[Exception], str], ...] = (
    (jwt.ExpiredSignatureError, "the token has expired"),
    (jwt.ImmatureSignatureError, "the token is not yet valid: its nbf or iat is in the future"),
    (jwt.InvalidAudienceError, "the token is for another audience"),
    (jwt.InvalidIssuerError, "the token is from another issuer"),
    (jwt.InvalidAlgorithmError, "the token is signed with a wrong algorithm"),
    (jwt.InvalidSignatureError, "the token has a wrong signature"),
    (jwt.exceptions.InvalidSubjectError, "the token's subject is not usable"),
)
MALFORMED = "the token is malformed"
#: The same for a claim that is absent.
ABSENT = {
    "aud": "the token names no audience",
    "iss": "the token names no issuer",
    "sub": "the token has no subject",
    "exp": "the token has no expiry",
}


class Authenticator:
    """Verifies tokens: JSON Web Tokens and API keys.

    Verifying a signature is the most expensive step of a warm call, and an API key costs a query. So a valid token is
    remembered for a while by its hash, but never beyond its expiry.

    Args:
        keys: finds the key of a token.
        algorithm: the only algorithm. The one that a token names is ignored.
        issuer: required value of `iss`. None: not checked.
        audience: required value of `aud`. None: not checked.
        leeway: seconds by which clocks may differ.
        anonymous: the scopes of a caller without a token. Empty: every call needs a token.
        api_keys: finds API keys. None: they are malformed tokens.
    """

    def __init__(
        self,
        keys: KeySource,
        algorithm: str,
        *,
        issuer: str | None = None,
        audience: str | None = None,
        leeway: float = 0,
        anonymous: frozenset[str] = frozenset(),
        api_keys: ApiKeys | None = None,
    ) -> None:
        self._api_keys = api_keys
        self._keys = keys
        self._leeway = leeway
        self._checks: dict[str, Any] = {
            "algorithms": [algorithm],
            "issuer": issuer,
            "audience": audience,
            "leeway": leeway,
            "options": {"require": ["sub", "exp"], "verify_aud": audience is not None},
        }
        self._anonymous = Identity(ANONYMOUS, anonymous, anonymous=True) if anonymous else None
        self._known: OrderedDict[bytes, tuple[float, Identity]] = OrderedDict()

    @classmethod
    def of(cls, tokens: TokenSettings, api_keys: ApiKeys) -> Self:
        """Make an authenticator from settings. Raises the errors of FixedKey."""
        keys: KeySource
        if tokens.jwks_url is not None:
            keys = JwksKeys(tokens.algorithm, tokens.jwks_url)
        else:
            keys = FixedKey(tokens.algorithm, tokens.secret or tokens.public_key or "")
        return cls(
            keys,
            tokens.algorithm,
            issuer=tokens.issuer,
            audience=tokens.audience,
            leeway=tokens.leeway,
            anonymous=tokens.anonymous,
            api_keys=api_keys,
        )

    def identify(self, authorization: str | None, address: str = "") -> Identity:
        """Return the caller whom the `Authorization` header names.

        Args:
            authorization: the header's value.
            address: the client's address.

        Raises:
            TokenMissing: the header has no bearer token.
            Unauthorized: the token is invalid.
            RateLimited, StoreUnavailable: see `ApiKeys.find`.
        """
        if authorization is None and self._anonymous is not None:
            return self._anonymous
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenMissing("the token is missing: send the header Authorization with Bearer and a token")
        digest = hashlib.sha256(token.encode()).digest()
        known = self._known.get(digest)
        if known is not None and known[0] > time():
            return known[1]
        if self._api_keys is not None and token.startswith(PREFIX):
            ends, identity = self._api_keys.find(token, digest, address)
        else:
            ends, identity = self._decode(token)
        self._known[digest] = min(ends, time() + REMEMBERED_SECONDS), identity
        if len(self._known) > REMEMBERED_TOKENS:
            self._known.popitem(last=False)
        return identity

    def _decode(self, token: str) -> tuple[float, Identity]:
        """Return the expiry of a valid token, leeway included, and its identity."""
        try:
            claims = jwt.decode(token, self._keys.key(token), **self._checks)
            ends = float(claims["exp"]) + self._leeway
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise Unauthorized(_reason(error)) from error
        return ends, Identity(_subject(claims), _scopes(claims))


def _reason(error: Exception) -> str:
    if isinstance(error, jwt.MissingRequiredClaimError):
        return ABSENT[error.claim]
    return next((words for kind, words in REASONS if isinstance(error, kind)), MALFORMED)


def _subject(claims: dict[str, Any]) -> str:
    subject: str = claims["sub"]
    if not subject or len(subject) > SUBJECT_MAX or not subject.isprintable() or subject == ANONYMOUS:
        raise Unauthorized("the token's subject is not usable")
    return subject


def _scopes(claims: dict[str, Any]) -> frozenset[str]:
    """Return the scopes of `scope`, or of `scp` if the token has no `scope`: two lists are never added up."""
    scope = claims["scope"] if "scope" in claims else claims.get("scp", "")
    words = scope.split() if isinstance(scope, str) else scope
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise Unauthorized("the token's scope is neither a string nor a list of strings")
    return frozenset(words)


def require_execute(identity: Identity, language: str) -> None:
    """Check that the token may execute the language, in sessions and by id.

    Raises:
        Forbidden: it may not.
    """
    if not _may_execute(identity, language):
        raise Forbidden(f"the token lacks the scope execute:{language}")
    _require_unbound(identity)


def require_function(identity: Identity, reference: FunctionRef) -> None:
    """Check that the token may execute a function by name.

    A key that is bound to a name alone may use every reference to that function.

    Raises:
        Forbidden: the token lacks the scope of the language, or its key is bound to other functions.
    """
    language, bound = reference.name.language, identity.functions
    if not _may_execute(identity, language):
        raise Forbidden(f"the token lacks the scope execute:{language}")
    if bound is not None and bound.isdisjoint((str(reference.name), str(reference))):
        raise Forbidden("the key is bound to other functions")


def require_scope(identity: Identity, scope: str) -> None:
    """Check that the token has the scope.

    Raises:
        Forbidden: it has not.
    """
    _require_unbound(identity)
    if scope not in identity.scopes:
        raise Forbidden(f"the token lacks the scope {scope}")


def require_write(identity: Identity, language: str) -> None:
    """Check that the token may register, change and delete functions of the language.

    An execute scope of the language implies the right, but not for a key: a key that runs functions should not
    replace them.

    Raises:
        TokenMissing: the caller has no token.
        Forbidden: the token may not.
    """
    if identity.anonymous:
        raise TokenMissing("a caller without a token cannot write functions")
    _require_unbound(identity)
    if WRITE in identity.scopes or (not identity.by_key and _may_execute(identity, language)):
        return
    implied = "" if identity.by_key else f" or execute:{language}"
    raise Forbidden(f"the token lacks the scope {WRITE}{implied}")


def may_grant(identity: Identity, scope: str) -> bool:
    """Return whether a key that the caller makes may have the scope: whether the caller has no fewer rights.

    The right to write that one execute scope implies is for one language. `write:functions` is for all of them.
    """
    if scope == KEYS:
        return False
    held = identity.scopes
    return scope in held or (EXECUTE_ALL in held and (scope == WRITE or scope.startswith("execute:")))


def _may_execute(identity: Identity, language: str) -> bool:
    return not identity.scopes.isdisjoint((EXECUTE_ALL, f"execute:{language}"))


def _require_unbound(identity: Identity) -> None:
    if identity.functions is not None:
        raise Forbidden("the key is bound to functions: it may only execute those by name")
