"""How the cost of a request grows with what the service has: `make bench-growth`."""
