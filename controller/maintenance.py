"""Maintenance: runs periodic tasks."""

import logging
from collections.abc import Callable, Mapping

import gevent

from controller.errors import StoreUnavailable

log = logging.getLogger(__name__)


class Maintenance:
    """Runs tasks periodically in a greenlet.

    Args:
        tasks: the tasks by name. A task that fails because PostgreSQL is away is retried in the next round.
        interval: seconds between two rounds.
        done: called with the name of each task that succeeded.
    """

    def __init__(
        self, tasks: Mapping[str, Callable[[], object]], interval: float, done: Callable[[str], object]
    ) -> None:
        self._done = done
        self._tasks = tasks
        self._interval = interval
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        """Start with an immediate first round."""
        self._greenlet = gevent.spawn(self._work)

    def close(self) -> None:
        """Stop, even within a round: every task is a transaction."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def _work(self) -> None:
        while True:
            for name, task in self._tasks.items():
                try:
                    task()
                    self._done(name)
                except StoreUnavailable:
                    log.warning("PostgreSQL is away: the task %s waits for the next round", name)
                except Exception:
                    log.exception("the task %s failed", name)
            gevent.sleep(self._interval)
