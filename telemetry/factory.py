"""Chooses a tracer by OpenTelemetry's variables: exported spans where they ask for them, else none."""

import os

from telemetry.tracing import UNTRACED, Tracer, UnusableTracing

HTTP = "http/protobuf"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


def tracer(service: str, version: str, flush_ms: int) -> Tracer:
    """Return the tracer that the environment asks for.

    Args:
        service: the service's name, unless the environment has another one.
        version: the service's version.
        flush_ms: time in which the spans that wait are exported at the end.

    Raises:
        UnusableTracing: a variable asks for what is not supported.
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
    # The SDK takes time and memory to import: only a process that traces pays for it.
    from telemetry.otel import OpenTelemetry  # noqa: PLC0415

    return OpenTelemetry(service, version, flush_ms)


def _variable(name: str) -> str:
    return os.environ.get(name, "").strip().lower()
