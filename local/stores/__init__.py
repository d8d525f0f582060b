"""PostgreSQL and Redis on this machine.

May import `supervisor` and `fetch`.
"""
