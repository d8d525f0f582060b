"""Redis: results, sessions, rate windows and the keys of executions, in one trip by Lua scripts.

`keys` names what is kept, `memory` is the double that passes the same contract suite. May import `models`, `errors`,
`json_codec`, `telemetry`.
"""
