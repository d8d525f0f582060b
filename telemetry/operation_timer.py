"""Timing hooks for the operations of a store."""


class OperationTimer:
    """Records nothing. `controller.observability.metrics` has the one for Prometheus."""

    def took(self, operation: str, seconds: float) -> None:
        """Record the time of an operation, whether it failed or not."""

    def failed(self, operation: str) -> None:
        """Record that an operation failed."""


NO_TIMER = OperationTimer()
