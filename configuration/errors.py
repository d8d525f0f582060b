"""The error of a setting."""


class UnusableSetting(Exception):
    """A setting, or a file that one names, cannot be used. The message is one line that names the variable."""
