"""The version of this package. It is that of the service it was made for."""

__version__ = "0.1.0"
