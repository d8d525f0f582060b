"""What a worker may do: seccomp (the list of system calls), Landlock, limits. Applied before any user code.

May import the standard library alone: the fork server runs it.
"""
