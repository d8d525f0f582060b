"""The environments of a runtime: packages of scripts, received in parts, checked, and laid out for workers to read.

May import `process`, `settings`, `metrics`, `errors`.
"""
