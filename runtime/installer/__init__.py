"""The function `packages`: resolves and installs packages of scripts by uv and npm, and runs no code of a package.

Imports `process`, `sandbox`, the form of parts in `environments`, and `front.service`. No other package imports it.
"""
