"""Rust: the toolchain, the compiler, the glue that is linked to every script, and the store of artifacts.

May import `process`, `sandbox`, `settings`, `errors`.
"""
