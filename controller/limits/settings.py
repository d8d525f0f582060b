"""Settings of the rate limits."""

import re
from dataclasses import dataclass

from configuration.parser import Parser
from configuration.variable import variable

#: Unit of every limit.
_UNIT = "requests/min"


def _limit(text: str) -> int:
    if not re.fullmatch(r"off|[0-9]{1,6}", text):
        raise ValueError(text)
    return 0 if text == "off" else int(text)


_LIMIT = Parser(_limit, "off or a whole number from 0 to 999999")


@dataclass(frozen=True, slots=True)
class Limits:
    """Most requests in any minute; 0: no limit."""

    execute: int = variable(
        "RATE_LIMIT_EXECUTE",
        _LIMIT,
        100,
        unit=_UNIT,
        doc="Most executions by one user in any minute. `off` or 0: no limit.",
    )
    anonymous: int = variable(
        "RATE_LIMIT_ANONYMOUS",
        _LIMIT,
        10,
        unit=_UNIT,
        doc="Most executions without a token from one client address in any minute. `off` or 0: no limit.",
    )
    initialize: int = variable(
        "RATE_LIMIT_INITIALIZE",
        _LIMIT,
        100,
        unit=_UNIT,
        doc="Most calls of `initialize` by one user in any minute. `off` or 0: no limit.",
    )
    functions: int = variable(
        "RATE_LIMIT_FUNCTIONS",
        _LIMIT,
        60,
        unit=_UNIT,
        doc="Most calls of the functions' endpoints by one user in any minute. `off` or 0: no limit.",
    )
    manage: int = variable(
        "RATE_LIMIT_MANAGE",
        _LIMIT,
        600,
        unit=_UNIT,
        doc="Most calls for API keys, versions and aliases by one user in any minute. `off` or 0: no limit.",
    )
