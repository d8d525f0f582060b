"""The domain objects, all immutable: callers, registered functions and sessions, requests, outcomes, responses.

May import `errors` and `json_codec`.
"""
