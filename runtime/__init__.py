"""What the three language runtimes share: a front, a pool of confined worker processes, and the languages."""
