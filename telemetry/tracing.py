"""The interface of tracing, and its no-op implementation.

`otel` implements spans that are exported, `factory` chooses between both. Spans have few attributes: no ids of users
or sessions, and of the data of clients and scripts only the name of a function.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Self

from telemetry.operation_timer import OperationTimer

Attributes = Mapping[str, str | int | float | bool]
NO_ATTRIBUTES: Attributes = {}


class UnusableTracing(Exception):
    """An OTEL_* variable requests something unsupported. The message is one line that names the variable."""


class Span:
    """A step, from the start of a `with` block to its end. An exception that leaves the block marks it as failed."""

    @property
    def traceparent(self) -> str | None:
        """The span's id for other services (W3C), if it is part of a trace."""
        return None

    def headers(self) -> Mapping[str, str]:
        """Return the headers that pass the trace on to another service."""
        return {}

    def note(self, attributes: Attributes) -> None:
        """Add attributes."""

    def failed(self, code: str) -> None:
        """Mark the span as failed, with the error code of the contract."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None = None, error: object = None, *_: object) -> None:
        """End the span."""


#: A span that records nothing.
NO_SPAN = Span()


class Tracer:
    """Starts spans. This one starts none."""

    def request(self, name: str, environ: Mapping[str, Any]) -> Span:
        """Start the span of a request, below the caller's span if the WSGI environ has a `traceparent`."""
        return NO_SPAN

    def call(self, name: str, attributes: Attributes = NO_ATTRIBUTES) -> Span:
        """Start the span of a call to another service, which receives `Span.headers`."""
        return NO_SPAN

    def step(self, name: str, attributes: Attributes = NO_ATTRIBUTES) -> Span:
        """Start the span of a step of our own."""
        return NO_SPAN

    def took(self, name: str, seconds: float, attributes: Attributes = NO_ATTRIBUTES) -> None:
        """Record a step that is over. With attributes it is a call to a store."""

    def batch(self, name: str, traceparents: Iterable[str | None]) -> Span:
        """Start the span of work for several calls: a separate trace, linked to the traces of the calls."""
        return NO_SPAN

    def timer(self, timer: OperationTimer, store: str) -> OperationTimer:
        """Wrap `timer`, so that each of the store's operations becomes a span too."""
        return timer

    def close(self) -> None:
        """Export pending spans, in bounded time."""


#: A tracer that records nothing.
UNTRACED = Tracer()
