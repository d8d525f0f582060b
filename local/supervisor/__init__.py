"""Programs as managed processes: start in order, watch, end. With ports, accounts and signals.

May import the standard library and `local.state`.
"""
