"""What all sessions have in common, however they begin."""

from dataclasses import dataclass

from controller.runtimes.client import Prepared


@dataclass(frozen=True, slots=True)
class SessionBounds:
    """The limits of every session.

    Attributes:
        ttl: seconds from a session's creation to its expiry.
        timeout_ms: longest deadline of a script. A longer one is reduced to it.
    """

    ttl: int
    timeout_ms: int


def compile_status(prepared: Prepared) -> str | None:
    """Return the status of a session whose script was prepared. None: there is nothing to compile."""
    return None if prepared.artifact_cached is None else "compiled"
