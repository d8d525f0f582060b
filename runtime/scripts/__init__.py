"""Scripts a runtime knows: kept in memory by hash, compiled where the language needs it.

May import `languages`, `errors`.
"""
