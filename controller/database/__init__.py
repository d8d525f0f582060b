"""PostgreSQL: connections, named queries, migrations, and the log that is written off the request's way."""
