"""The language runtimes: a front, a pool of confined worker processes, and the languages.

May import `telemetry`, nothing of `controller`, `function`, `local` or `tools`.
"""
