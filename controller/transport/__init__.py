"""HTTP to runtimes: kept-alive connections, a circuit and a bound per address, and which address is asked."""
