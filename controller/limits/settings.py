"""Settings of the rate limits."""

from dataclasses import dataclass

from environs import Env, validate


@dataclass(frozen=True, slots=True)
class Limits:
    """Requests in any minute; 0: no limit."""

    execute: int
    """Of one user, to execute."""
    anonymous: int
    """Executions of one address without a token."""
    initialize: int
    """Of one user, to begin sessions."""
    functions: int
    """Of one user, to the functions."""

    @classmethod
    def from_env(cls, env: Env) -> "Limits":
        """Read them. Raises environs.EnvError, which names the variable."""
        number_or_off = validate.Regexp(r"(?:off|[0-9]{1,6})\Z")
        return cls(
            execute=_limit(env.str("RATE_LIMIT_EXECUTE", "100", validate=number_or_off)),
            anonymous=_limit(env.str("RATE_LIMIT_ANONYMOUS", "10", validate=number_or_off)),
            initialize=_limit(env.str("RATE_LIMIT_INITIALIZE", "100", validate=number_or_off)),
            functions=_limit(env.str("RATE_LIMIT_FUNCTIONS", "60", validate=number_or_off)),
        )


def _limit(text: str) -> int:
    return 0 if text == "off" else int(text)
