"""Tools of the developer: checks, generated documents, a provider for faas-cli.

May import everything; nothing of the service imports them.
"""
