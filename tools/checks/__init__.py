"""Checks that `make lint` and `make test` run: words to avoid, the schema of stack.yml, the hostile suite."""
