"""The version of the format in Redis. Every key begins with it.

When the format of a value changes, FORMAT gets a new name and PREVIOUS the old one. After its start a process also
reads the keys of PREVIOUS, and marks ends of sessions there, for as long as a session lives. So two versions of the
service may run side by side.
"""

#: The current version.
FORMAT = "v2:"
#: The version before. Its keys had no prefix.
PREVIOUS = ""
