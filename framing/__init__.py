"""The connection between controller and runtime, of which both have one end: frames, how they travel, where to.

May import libraries.
"""
