"""The front of a runtime, by HTTP and by frames: checks the secret, parses the calls, writes the answers.

May import all other packages of the runtime; none of them imports it.
"""
