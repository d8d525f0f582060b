"""Warm workers: who gets one, who waits, which one has to go, which are started ahead.

May import `process`, `settings`, `errors`.
"""
