"""The nouns of the service, frozen: who calls, what is registered, what is asked, what a run gave.

May import `errors` and `json_codec`.
"""
