"""Calls of the language runtimes: which one serves a title, over which connection, what it answered.

May import `models`, `errors`, `observability`, `telemetry`.
"""
