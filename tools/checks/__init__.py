"""Checks that `make lint` and `make test` run: the schema of stack.yml, the hostile suite as an ordinary user."""
