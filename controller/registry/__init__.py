"""The registry of sessions, functions and scripts, and the writes of their rows.

May import `cache`, `database`, `request_log`, `models`.
"""
