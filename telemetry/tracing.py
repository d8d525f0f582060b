"""A call's steps as spans of a trace. Those here are of none: tracing is off, unless the environment asks for it.

`telemetry.otel` has those that are exported. Names and attributes are few and ours: no ids of users or
sessions, nothing that a client or a script wrote but a function's name.
"""

import os
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Self

from controller.errors import UnusableSetting
from controller.observability.logs import SERVICE
from telemetry.operation_timer import StoreClock

Attributes = Mapping[str, str | int | float | bool]
NONE: Attributes = {}


class Span:
    """A step, from the block's beginning to its end. An error that leaves the block is the span's."""

    @property
    def traceparent(self) -> str | None:
        """Its name for others (W3C), where it has one."""
        return None

    def headers(self) -> Mapping[str, str]:
        """What tells another service of it."""
        return {}

    def note(self, attributes: Attributes) -> None:
        """Adds attributes."""

    def failed(self, code: str) -> None:
        """It is told as a failure, by the code of the contract."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None = None, error: object = None, *_: object) -> None:
        """Ends it."""


NO_SPAN = Span()


class Tracer:
    """Makes spans, each below the one that is open in the same greenlet."""

    def request(self, name: str, headers: Mapping[str, str]) -> Span:
        """A request, below its caller's span where `headers` (traceparent, tracestate) tell of one."""
        return NO_SPAN

    def call(self, name: str, attributes: Attributes = NONE) -> Span:
        """A call of another service, which is told of it."""
        return NO_SPAN

    def step(self, name: str, attributes: Attributes = NONE) -> Span:
        """A step of our own."""
        return NO_SPAN

    def batch(self, name: str, traceparents: Iterable[str | None]) -> Span:
        """Work for several calls at once: a trace of its own, linked to theirs."""
        return NO_SPAN

    def clock(self, clock: StoreClock, store: str) -> StoreClock:
        """A clock that tells `clock`, and makes a span of each of the store's operations."""
        return clock

    def close(self) -> None:
        """Exports what waits, within bounds."""


UNTRACED = Tracer()


def tracer() -> Tracer:
    """The tracer that OpenTelemetry's variables in the environment ask for; see docs/logs.md.

    Raises:
        UnusableSetting: a variable asks for what there is not.
    """
    environment = os.environ
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if exporter not in ("", "none", "otlp"):
        raise UnusableSetting(f"OTEL_TRACES_EXPORTER: {exporter!r} is neither otlp nor none")
    asked = exporter == "otlp" or any(environment.get(name) for name in ENDPOINTS)
    if not asked or exporter == "none" or environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return UNTRACED
    for name in PROTOCOLS:
        if environment.get(name, HTTP) not in (HTTP, ""):
            raise UnusableSetting(f"{name}: {environment[name]!r} is not {HTTP}")
    # Only here: importing it takes a third of a second and 15 MB, which who has no collector need not pay.
    made: Tracer = import_module("telemetry.otel").OpenTelemetry(SERVICE)
    return made


HTTP = "http/protobuf"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
