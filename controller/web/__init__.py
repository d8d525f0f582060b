"""The HTTP interface: turns requests into calls, and results and errors into responses.

May import everything below it but `app`. Nothing below imports it.
"""
