"""What the language runtimes share: a front, a pool of confined worker processes, and the languages.

May import `telemetry`, nothing of `controller`, `function`, `local` or `tools`.
"""
