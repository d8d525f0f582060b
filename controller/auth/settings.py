"""Settings of tokens: which hold, and what may be done without one."""

from dataclasses import dataclass
from urllib.parse import urlsplit

import jwt
from environs import Env, EnvError, ValidationError, validate

from controller.auth.signing_keys import FixedKey

ALGORITHMS = ("HS256", "RS256", "ES256")


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """Which tokens hold."""

    algorithm: str
    """Algorithm of every token's signature: `HS256`, `RS256` or `ES256`."""
    secret: str | None
    """Key of `HS256`, at least 32 characters; needed then."""
    public_key: str | None
    """Public key of `RS256` or `ES256`, in PEM; needed then, unless `JWT_JWKS_URL` is there."""
    jwks_url: str | None
    """Address of a JWKS server that has the public keys of `RS256` or `ES256`. Keys may rotate: one that is not known
    is asked for, one that is withdrawn ends within 6 minutes."""
    issuer: str | None
    """What `iss` has to be; unset: it is not looked at."""
    audience: str | None
    """What `aud` has to be, or to hold; unset: it is not looked at."""
    leeway: float
    """Seconds by which the clocks of who makes tokens and ours may differ."""
    anonymous: frozenset[str]
    """Scopes of a caller without a token, such as `execute:python`; empty: every call needs a token. All of these
    callers are one user, `anonymous`: what one of them begins, another may use."""

    @classmethod
    def from_env(cls, env: Env) -> "TokenSettings":
        """Reads them; raises environs.EnvError, which names the variable."""
        algorithm = env.str("JWT_ALGORITHM", "HS256", validate=validate.OneOf(ALGORITHMS))
        symmetric = algorithm == "HS256"
        settings = cls(
            algorithm=algorithm,
            secret=env.str("JWT_SECRET", validate=validate.Length(min=32)) if symmetric else None,
            public_key=None if symmetric else env.str("JWT_PUBLIC_KEY", None),
            jwks_url=None if symmetric else env.str("JWT_JWKS_URL", None, validate=_http_address),
            issuer=env.str("JWT_ISSUER", None),
            audience=env.str("JWT_AUDIENCE", None),
            leeway=env.float("JWT_LEEWAY", 0.0, validate=validate.Range(min=0, max=300)),
            anonymous=frozenset(env.list("ANONYMOUS", [])),
        )
        settings._check_keys()
        return settings

    def _check_keys(self) -> None:
        if self.secret is not None:
            return
        if (self.public_key is None) == (self.jwks_url is None):
            raise EnvError(f"JWT_PUBLIC_KEY or JWT_JWKS_URL: {self.algorithm} needs one of them, not both")
        if self.public_key is not None and not _is_public_key(self.algorithm, self.public_key):
            raise EnvError(f"JWT_PUBLIC_KEY is no public key of {self.algorithm} in PEM")


def _http_address(url: str) -> None:
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise ValidationError("this is no http address")


def _is_public_key(algorithm: str, text: str) -> bool:
    try:
        FixedKey(algorithm, text)
    except (jwt.PyJWTError, ValueError, TypeError):
        return False
    return "PRIVATE" not in text
