"""Waiting for a condition, never for a time."""

from collections.abc import Callable

import gevent

from local.supervisor.proc import wait_until

#: Seconds until a condition is given up, on a machine however busy. What holds is seen long before.
PATIENCE = 120.0


def until(condition: Callable[[], bool], what: str, timeout: float = PATIENCE) -> None:
    """Returns once `condition` holds; fails after `timeout` seconds, naming `what` was waited for."""
    assert wait_until(condition, timeout), f"waited {timeout} s in vain: {what}"


def until_greenlets(condition: Callable[[], bool], what: str, timeout: float = PATIENCE) -> None:
    """The same for what greenlets of the test's own process do: it lets them."""
    try:
        with gevent.Timeout(timeout):
            while not condition():
                gevent.sleep(0.02)
    except gevent.Timeout:
        raise AssertionError(f"waited {timeout} s in vain: {what}") from None
