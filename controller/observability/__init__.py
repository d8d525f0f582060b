"""Metrics, log lines, correlation ids, and the masking of secrets.

May import `models`, `errors`, `json_codec`, `telemetry`.
"""
