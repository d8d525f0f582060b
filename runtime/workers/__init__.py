"""The programs inside the worker processes.

May import the standard library, `frames` and each other.
"""
