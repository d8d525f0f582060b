"""The error of an invalid setting."""


class UnusableSetting(Exception):
    """A setting, or the file that it names, cannot be used. The message is one line that names the variable."""
