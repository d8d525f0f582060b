"""What is seen of a request: metrics, log lines, correlation ids, and the masking of secrets.

May import `models`, `errors`, `json_codec`, `telemetry`.
"""
