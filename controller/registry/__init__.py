"""What is registered: sessions, functions, scripts, and the rows that keep them.

May import `cache`, `database`, `request_log`, `models`.
"""
