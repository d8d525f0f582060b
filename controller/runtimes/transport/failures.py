"""The failures of a request to a runtime. They differ in what is certain about the script."""


class RequestFailed(Exception):
    """There was no usable answer. The script may have run.

    Attributes:
        counts: whether it is one more failure of the address. The end of a connection is one, however many calls it
            carried.
    """

    counts = True


class NothingRan(RequestFailed):
    """The runtime certainly never had the whole request, so the request may be sent again.

    Args:
        reason: the message.
        kept: whether the connection had been used before.
    """

    def __init__(self, reason: str, *, kept: bool = False) -> None:
        super().__init__(reason)
        self.kept = kept


class AnswerLate(RequestFailed):
    """The runtime has the request, and the deadline passed."""


class NoFreeConnection(Exception):
    """All connections to the address are in use. Nothing was sent."""


class CircuitOpen(Exception):
    """The address has failed too often. Nothing was sent."""
