"""Chooses a tracer by OpenTelemetry's variables: one that exports spans if they request it, else a no-op."""

import os

from telemetry.tracing import UNTRACED, Tracer, UnusableTracing

HTTP = "http/protobuf"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


def tracer(service: str, version: str, flush_ms: int) -> Tracer:
    """Return the tracer that the environment requests.

    Args:
        service: The service's name, unless the environment sets another one.
        version: The service's version.
        flush_ms: Most milliseconds for the export of pending spans at the end.

    Raises:
        UnusableTracing: A variable requests something that is not supported.
    """
    exporter = _variable("OTEL_TRACES_EXPORTER")
    if exporter not in ("", "otlp", "none"):
        raise UnusableTracing(f"OTEL_TRACES_EXPORTER: {exporter!r} is neither otlp nor none")
    asked = exporter == "otlp" or any(os.environ.get(name) for name in ENDPOINTS)
    if not asked or exporter == "none" or _variable("OTEL_SDK_DISABLED") == "true":
        return UNTRACED
    for name in PROTOCOLS:
        if os.environ.get(name, HTTP) not in (HTTP, ""):
            raise UnusableTracing(f"{name}: {os.environ[name]!r} is not {HTTP}")
    # Importing the SDK takes time and memory, so only a process that traces does it.
    from telemetry.otel import OpenTelemetry  # noqa: PLC0415

    return OpenTelemetry(service, version, flush_ms)


def _variable(name: str) -> str:
    return os.environ.get(name, "").strip().lower()
