"""The service on one machine: embedded PostgreSQL and Redis, no Docker.

May import `controller`, `runtime`, `telemetry`, `configuration`; only `tools`, `bench` and tests import it.
"""
