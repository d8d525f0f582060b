"""The request log: a queue of rows, written to PostgreSQL in batches, kept on disk while PostgreSQL is away.

May import `database`, `models`, `observability`, `telemetry`.
"""
