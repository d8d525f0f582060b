"""HTTP to the runtimes: kept-alive connections, a circuit and a bound per address, and the choice of an address.

May import `errors` and libraries.
"""
