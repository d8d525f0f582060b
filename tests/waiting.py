"""Waiting for a condition, never for a time."""

from collections.abc import Callable

from local.process import wait_until


def until(condition: Callable[[], bool], what: str, timeout: float = 20.0) -> None:
    """Returns once `condition` holds; fails after `timeout` seconds, naming `what` was waited for."""
    assert wait_until(condition, timeout), f"waited {timeout} s in vain: {what}"
