"""Measures the service. Nothing imports it."""
