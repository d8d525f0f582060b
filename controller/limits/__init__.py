"""How often a caller may ask (rate limit) and how much one user may have (quotas).

May import `cache`, `database`, `models`, `errors`.
"""
