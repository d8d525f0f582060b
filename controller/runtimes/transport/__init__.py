"""Frames and HTTP to the runtimes: kept connections, a circuit breaker and a limit per address, and load balancing.

May import `errors`, `framing` and libraries.
"""
