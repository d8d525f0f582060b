"""What has to be done now and then, whether requests come or not."""

import logging
from collections.abc import Callable, Sequence

import gevent

from controller.errors import StoreUnavailable

log = logging.getLogger(__name__)


class Maintenance:
    """Does tasks again and again in a greenlet of its own.

    Args:
        tasks: what to do; one that finds PostgreSQL away is done the next time.
        interval: seconds between two rounds.
    """

    def __init__(self, tasks: Sequence[Callable[[], object]], interval: float) -> None:
        self._tasks = tasks
        self._interval = interval
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        """Begins with a round at once."""
        self._greenlet = gevent.spawn(self._work)

    def close(self) -> None:
        """Stops, between or within rounds: every task is a transaction."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def _work(self) -> None:
        while True:
            for task in self._tasks:
                try:
                    task()
                except StoreUnavailable:
                    log.warning("PostgreSQL is away: %s waits for the next round", task.__qualname__)
                except Exception:
                    log.exception("%s failed", task.__qualname__)
            gevent.sleep(self._interval)
