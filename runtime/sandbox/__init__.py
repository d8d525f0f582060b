"""Confinement of a worker: seccomp (system calls), Landlock (files, TCP), resource limits.

A worker applies it before it runs any user code. May import the standard library only: the fork server loads it.
"""
