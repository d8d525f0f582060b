"""Declares, reads and documents environment variables, for controller and runtime.

May import libraries only, nothing of `controller` or `runtime`. Both images install it.
"""
