"""The version of what is kept in Redis: every key begins with it.

When the format of any value changes, FORMAT becomes a new name and PREVIOUS the old one. For a session's time to live
after its start a process also reads keys of PREVIOUS, and marks ends of sessions there, so that two versions of the
service may run side by side.
"""

FORMAT = "v2:"
#: Keys before had no version.
PREVIOUS = ""
