"""Rate limits (requests per minute) and quotas (sessions and functions per user).

May import `cache`, `database`, `models`, `errors`.
"""
