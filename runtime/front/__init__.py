"""The HTTP front of a runtime: who may call, what the two calls ask, what is answered.

May import everything below it; nothing below imports it.
"""
