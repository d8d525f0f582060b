"""PostgreSQL: the connection pool, named queries, migrations, retention, statistics.

`tables` answers what the registry and the quotas ask, `memory` does the same without a server, and both pass one
contract suite.

May import `models`, `errors`, `telemetry`.
"""
