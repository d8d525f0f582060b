"""HTTP to the runtimes: keep-alive connections, a circuit breaker and a limit per address, and load balancing.

May import `errors` and libraries.
"""
