"""JSON Schema 2020-12 of functions: compiled when put, checked at each call, with bounded work.

May import `errors`, `json_codec`.
"""
