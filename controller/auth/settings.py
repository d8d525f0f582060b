"""Settings of tokens: how they are verified, and the scopes of a caller without one."""

from dataclasses import dataclass

import jwt

from configuration.errors import UnusableSetting
from configuration.parser import Parser, http_address, number, one_of, secret_text, separated, text
from configuration.variable import Chosen, optional, variable
from controller.auth.signing_keys import FixedKey

ALGORITHMS = ("HS256", "RS256", "ES256")


def _symmetric(chosen: Chosen) -> bool:
    return bool(chosen["algorithm"] == "HS256")


def _asymmetric(chosen: Chosen) -> bool:
    return not _symmetric(chosen)


def _scopes(given: str) -> frozenset[str]:
    return frozenset(separated(text())(given))


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """How tokens are verified. Only the key that fits the algorithm is read."""

    algorithm: str = variable(
        "JWT_ALGORITHM", one_of(*ALGORITHMS), "HS256", doc="Algorithm of every token's signature."
    )
    secret: str | None = optional(
        "JWT_SECRET", secret_text(32), applies=_symmetric, doc="Key of `HS256`, which requires it."
    )
    public_key: str | None = optional(
        "JWT_PUBLIC_KEY",
        text(),
        applies=_asymmetric,
        doc="Public key of `RS256` or `ES256`, in PEM. They require this or `JWT_JWKS_URL`.",
    )
    jwks_url: str | None = optional(
        "JWT_JWKS_URL",
        http_address(),
        applies=_asymmetric,
        doc="Address of a JWKS server with the public keys of `RS256` or `ES256`. Keys may rotate: an unknown key is "
        "fetched, a withdrawn key stops working within 6 minutes.",
    )
    issuer: str | None = optional(
        "JWT_ISSUER", text(), doc="Required value of a token's `iss`. Unset: `iss` is not checked."
    )
    audience: str | None = optional(
        "JWT_AUDIENCE",
        text(),
        doc="Value that a token's `aud` must be or contain. Unset: `aud` is not checked.",
    )
    leeway: float = variable(
        "JWT_LEEWAY",
        number(0, 300),
        60,
        unit="s",
        doc="Tolerated difference, in seconds, between the token issuer's clock and this one, for `exp`, `nbf` and "
        "`iat`.",
    )
    anonymous: frozenset[str] = variable(
        "ANONYMOUS",
        Parser(_scopes, separated(text()).accepts),
        "",
        doc="Scopes of a caller without a token, such as `execute:python`. Empty: every call needs a token. All "
        "callers without a token are one user, `anonymous`, and share what it creates.",
    )

    def __post_init__(self) -> None:
        """Check that exactly one key is set. Raises UnusableSetting."""
        if self.algorithm == "HS256":
            if self.secret is None:
                raise UnusableSetting("JWT_SECRET: not set; HS256 needs it")
        elif (self.public_key is None) == (self.jwks_url is None):
            raise UnusableSetting(
                f"JWT_PUBLIC_KEY or JWT_JWKS_URL: {self.algorithm} needs exactly one of them"
            )
        elif self.public_key is not None and not _is_public_key(self.algorithm, self.public_key):
            raise UnusableSetting(f"JWT_PUBLIC_KEY: the value is not a public key of {self.algorithm} in PEM")


def _is_public_key(algorithm: str, pem: str) -> bool:
    try:
        FixedKey(algorithm, pem)
    except (jwt.PyJWTError, ValueError, TypeError):
        return False
    return "PRIVATE" not in pem
