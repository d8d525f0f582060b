"""PostgreSQL, Redis and Prometheus on this machine: servers that keep data.

May import `supervisor`, `fetch` and `local.state`.
"""
