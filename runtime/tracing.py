"""A call's steps as spans of a trace. Those here are of none: tracing is off, unless the environment asks for it.

`runtime.open_telemetry` has those that are exported. Names and attributes are few and ours.
"""

import os
from collections.abc import Mapping
from importlib import import_module
from typing import Self

from runtime.settings import UnusableSetting

Attributes = Mapping[str, str | int | float | bool]

_HTTP = "http/protobuf"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


class Span:
    """A step, from the block's beginning to its end. An error that leaves the block is the span's."""

    @property
    def traceparent(self) -> str | None:
        """Its name for others (W3C), where it has one."""
        return None

    def note(self, attributes: Attributes) -> None:
        """Add attributes."""

    def failed(self, code: str) -> None:
        """It is told as a failure, by the code of the contract."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None = None, error: object = None, *_: object) -> None:
        """End it."""


NO_SPAN = Span()


class Tracer:
    """Makes spans, each below the one that is open in the same greenlet."""

    def request(self, name: str, environ: Mapping[str, str]) -> Span:
        """A call that came with this WSGI environment, below the controller's span where it tells of one."""
        return NO_SPAN

    def step(self, name: str) -> Span:
        """A step of our own."""
        return NO_SPAN

    def took(self, name: str, seconds: float) -> None:
        """A step of our own that is over."""

    def close(self) -> None:
        """Export what waits, within bounds."""


UNTRACED = Tracer()


def tracer(language: str) -> Tracer:
    """The tracer that OpenTelemetry's variables in the environment ask for; see docs/logs.md.

    Raises UnusableSetting: a variable asks for what there is not.
    """
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if exporter not in ("", "none", "otlp"):
        raise UnusableSetting(f"OTEL_TRACES_EXPORTER: {exporter!r} is neither otlp nor none")
    asked = exporter == "otlp" or any(os.environ.get(name) for name in _ENDPOINTS)
    if not asked or exporter == "none" or os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return UNTRACED
    for name in _PROTOCOLS:
        if os.environ.get(name, "") not in (_HTTP, ""):
            raise UnusableSetting(f"{name}: {os.environ[name]!r} is not {_HTTP}")
    # Only here: importing it takes a third of a second and 15 MB, which who has no collector need not pay.
    made: Tracer = import_module("runtime.open_telemetry").OpenTelemetry(language)
    return made
