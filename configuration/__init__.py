"""How variables of the environment are declared, read and documented; controller and runtime share it.

May import libraries alone, nothing of `controller` or `runtime`. Either image installs it.
"""
