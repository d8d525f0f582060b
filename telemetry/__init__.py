"""Observability that controller and runtime share: tracing, span export, the metrics server, log lines in ECS.

May import libraries only, nothing of `controller` or `runtime`. Both images install it.
"""
