"""A provider for faas-cli on one machine: functions run as processes, without Docker or a cluster.

May import `local`. Its README.md says how to start it.
"""
