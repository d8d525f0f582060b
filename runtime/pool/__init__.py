"""Warm workers: which request gets one, which waits, which idle worker is ended, which are started ahead.

May import `process`, `settings`, `errors`.
"""
