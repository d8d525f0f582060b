"""How a request to a runtime fails, told apart by what it proves."""


class RequestFailed(Exception):
    """No usable answer came; the script may have run."""


class NothingRan(RequestFailed):
    """No usable answer came, and it is certain that the runtime never had the whole request: it may be sent again.

    Args:
        kept: the request was sent on a connection that had been used before.
    """

    def __init__(self, reason: str, *, kept: bool = False) -> None:
        super().__init__(reason)
        self.kept = kept


class AnswerLate(RequestFailed):
    """The runtime has the request, and its time is over."""


class NoFreeConnection(Exception):
    """Every connection that this address may have is in use; nothing was sent."""


class CircuitOpen(Exception):
    """The address has failed too often, and is left alone for now; nothing was sent."""
