"""The scripts of a runtime: kept in memory by hash, and compiled if the language requires it.

May import `languages`, `errors`.
"""
