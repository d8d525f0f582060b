"""One confined process: the fork server that creates it, the channel to it, the watcher of its limits, its end.

May import `sandbox`, `frames`, `errors`. The fork server imports the standard library alone.
"""
