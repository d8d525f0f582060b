"""The HTTP front of a runtime: checks the secret, parses the calls, writes the answers.

May import all other packages of the runtime; none of them imports it.
"""
