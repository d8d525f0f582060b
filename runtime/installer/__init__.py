"""The function `packages`: resolves and installs packages of scripts by uv and npm, and runs no code of a package.

Imports `process`, `sandbox` and what a front of a runtime shares with it. No other package imports it.
"""
