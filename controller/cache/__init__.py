"""The cache in Redis: results, sessions, rate limits and idempotency keys. Lua scripts make each operation one trip.

`keys` builds the keys. `memory` is a double that passes the same contract suite. May import `models`, `errors`,
`json_codec`, `telemetry`.
"""

import sys

_METRICS = "opentelemetry.sdk.metrics"
if _METRICS not in sys.modules:
    # Where redis-py finds OpenTelemetry's metrics it loads 2.4 MiB to count what `observability.metrics` counts.
    sys.modules[_METRICS] = None  # type: ignore[assignment]
    import redis as _redis  # noqa: F401 - before all others that import it

    del sys.modules[_METRICS]
