"""What controller and runtime share to be seen: tracing, span export, the metrics server, log lines in ECS.

May import libraries alone, nothing of `controller` or `runtime`. Either image installs it.
"""
