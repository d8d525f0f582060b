"""Who calls: tokens, the keys they are signed with, and the scopes they grant.

May import `models`, `errors`, `settings` helpers; nothing of the request's way.
"""
