"""The request log: queues rows and writes them to PostgreSQL in batches. While PostgreSQL is away they wait on disk.

May import `database`, `models`, `observability`, `telemetry`.
"""
