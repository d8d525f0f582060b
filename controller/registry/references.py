"""Which version of a function a reference names, and which side of a canary a call takes."""

import hashlib
from typing import Literal, NamedTuple

from controller.models.stored import FunctionTargets

#: The alias that a reference without `@` names, where it is set.
LIVE = "live"


class Asker(NamedTuple):
    """Who chooses: the same request of the same user always takes the same side.

    Attributes:
        request: its `Idempotency-Key`, or else its `X-Request-ID`.
    """

    user: str
    request: str


class Choice(NamedTuple):
    """The version that a reference names.

    Attributes:
        kind: what named it. `live` and `newest`: a reference without `@`.
        side: `canary` if the call is of the share that the alias sends there.
    """

    version: int
    kind: Literal["newest", "live", "alias", "version"]
    side: Literal["main", "canary"] = "main"


def choose(targets: FunctionTargets, selector: str, asker: Asker | None = None) -> Choice | None:
    """Return the version that a reference names. None: its alias is not set.

    Args:
        targets: what references to the function may name.
        selector: the part of the reference after `@`, or empty.
        asker: None: one who takes no canary.
    """
    if selector.isdecimal():
        return Choice(int(selector), "version")
    alias = targets.aliases.get(selector or LIVE)
    if alias is None:
        return None if selector else Choice(targets.newest, "newest")
    kind: Literal["live", "alias"] = "alias" if selector else "live"
    if alias.canary_version is None or asker is None or point_of(asker) >= (alias.canary_weight or 0):
        return Choice(alias.version, kind)
    return Choice(alias.canary_version, kind, "canary")


def point_of(asker: Asker) -> float:
    """Return where in 0 to 1 a request stands. Below the weight of a canary, it takes that side."""
    # No other pair has this text, for a request's id has no space.
    digest = hashlib.sha256(f"{asker.request} {asker.user}".encode()).digest()
    # Of 64 bits a float keeps 53. More would round up to 1.0, which takes no canary of weight 1.
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53
