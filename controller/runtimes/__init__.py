"""Calls to the language runtimes: choice of the runtime, connections, and responses.

May import `models`, `errors`, `observability`, `telemetry`.
"""
