"""The core: orders initialize and execute, shares one run among equal requests, keeps idempotency keys.

May import `registry`, `runtimes`, `limits`, `request_log`, `cache`, `models`.
"""
