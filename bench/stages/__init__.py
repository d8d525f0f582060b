"""Where the CPU time of a request goes: `make bench-stages`."""
