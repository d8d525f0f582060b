"""The programs inside the worker processes.

They import the standard library and each other, nothing else of ours.
"""
