"""The cache in Redis: results, sessions, rate limits and idempotency keys. Lua scripts make each operation one trip.

`keys` builds the keys. `memory` is a double that passes the same contract suite. May import `models`, `errors`,
`json_codec`, `telemetry`.
"""
