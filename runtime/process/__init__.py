"""One confined process: the fork server that makes it, the channel to it, the watch over its limits, its end.

May import `sandbox`, `frames`, `errors`. The fork server imports the standard library alone.
"""
