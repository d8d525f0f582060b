"""Rust: the toolchain, the compiler, the glue every script is linked to, and kept artifacts.

May import `process`, `sandbox`, `settings`, `errors`.
"""
