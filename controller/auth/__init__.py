"""Authentication: tokens, the keys that sign them, API keys, and the scopes that they grant.

May import `cache` (windows), `models`, `errors`, `settings` helpers; nothing of the request's way.
"""
