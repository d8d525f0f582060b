"""Timing hooks for the operations of a store."""


class OperationTimer:
    """The interface, and a no-op implementation. `controller.observability.metrics` has the one for Prometheus."""

    def took(self, operation: str, seconds: float) -> None:
        """Record the time of an operation, whether it succeeded or failed."""

    def failed(self, operation: str) -> None:
        """Record that an operation failed."""


#: A timer that records nothing.
NO_TIMER = OperationTimer()
