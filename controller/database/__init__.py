"""PostgreSQL: the connection pool, named queries, migrations, retention, statistics.

`tables` has the queries of the registry and the quotas. `memory` is its double without a server. Both pass one
contract suite.


May import `models`, `errors`, `telemetry`.
"""
