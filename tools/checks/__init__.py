"""Checks that `make lint` and `make test` run: keys of stack.yml, the hostile suite as an ordinary user."""
