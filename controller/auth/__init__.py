"""Authentication: tokens, the keys that sign them, and the scopes that they grant.

May import `models`, `errors`, `settings` helpers; nothing of the request's way.
"""
