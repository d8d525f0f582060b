"""What a store tells of each of its operations."""


class StoreClock:
    """Takes note of nothing; `controller.observability.metrics` has one that does."""

    def took(self, operation: str, seconds: float) -> None:
        """An operation took so long, whether it failed or not."""

    def failed(self, operation: str) -> None:
        """An operation failed."""


UNTIMED = StoreClock()
