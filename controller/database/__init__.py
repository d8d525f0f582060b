"""PostgreSQL: the connection pool, named queries, migrations, retention, statistics.

May import `models`, `errors`, `telemetry`.
"""
