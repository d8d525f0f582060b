"""What has to be done now and then, whether requests come or not."""

import logging
from collections.abc import Callable, Mapping

import gevent

from controller.errors import StoreUnavailable

log = logging.getLogger(__name__)


class Maintenance:
    """Does tasks again and again in a greenlet of its own.

    Args:
        tasks: what to do, by name; one that finds PostgreSQL away is done the next time.
        interval: seconds between two rounds.
        done: is told the name of each task that succeeded.
    """

    def __init__(
        self, tasks: Mapping[str, Callable[[], object]], interval: float, done: Callable[[str], object]
    ) -> None:
        self._done = done
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
            for name, task in self._tasks.items():
                try:
                    task()
                    self._done(name)
                except StoreUnavailable:
                    log.warning("PostgreSQL is away: the task %s waits for the next round", name)
                except Exception:
                    log.exception("the task %s failed", name)
            gevent.sleep(self._interval)
