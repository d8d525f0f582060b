"""Tools and programs that the project brings itself: from wheels, Debian packages, Go modules and crates.

May import `supervisor`.
"""
