"""Checks scripts in one warm process, so that a burst of new scripts does not start a process for each.

The process is confined as any worker. It reads scripts and runs none, so scripts of all tenants may pass through it.
"""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Any, Generic, Protocol, TypeVar

import gevent
from gevent.lock import BoundedSemaphore

from runtime.frames import FrameError

#: Scripts that a second brings into workers ahead of their first run, and how many at most after a pause.
AHEAD_PER_SECOND, AHEAD_MAX = 10, 4
#: Seconds for a check, and most characters of a script that is checked here.
CHECK_SECONDS, CHECKED_MAX = 1.0, 64 * 1024
#: Checks of one process: it may keep memory that scripts made it allocate.
CHECKS_MAX = 1000
#: Most scripts that are remembered to be in order.
REMEMBERED = 10_000


class Checking(Protocol):
    """What is required of a worker."""

    @property
    def alive(self) -> bool:
        """Whether its process runs, as far as is known."""

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a message. Raises FrameError, and then the process has been killed."""

    def discard_output(self) -> None:
        """Forget what the process has printed."""

    def kill(self) -> None:
        """Kill its process. Does not wait."""

    def close(self) -> None:
        """Kill its process, wait for its end, and release its resources."""


C = TypeVar("C", bound=Checking)


class Checker(Generic[C]):
    """Finds that scripts are in order. Of any other script it says nothing.

    Args:
        start: Returns a blank worker, or raises RuntimeUnavailable.
        clock: Seconds that go on evenly.
    """

    def __init__(self, start: Callable[[], C], clock: Callable[[], float] = monotonic) -> None:
        self._start = start
        self._clock = clock
        self._worker: C | None = None
        self._checks = 0
        self._turn = BoundedSemaphore(1)
        self._in_order: OrderedDict[str, None] = OrderedDict()
        self._ahead = float(AHEAD_MAX)
        self._counted_at = clock()

    def loads_ahead(self) -> bool:
        """Return whether a new script should rather be loaded by a worker, where its first run finds it.

        Few new scripts are. In a burst, most of those workers would be ended for the next ones before they ran.
        """
        now = self._clock()
        self._ahead = min(AHEAD_MAX, self._ahead + (now - self._counted_at) * AHEAD_PER_SECOND)
        self._counted_at = now
        if self._ahead < 1:
            return False
        self._ahead -= 1
        return True

    def in_order(self, script_hash: str, source: str | None) -> bool:
        """Return whether a script is known to be in order. False: a worker has to load it, which says what is wrong.

        Raises:
            RuntimeUnavailable: No process can be started.
        """
        if source is None or len(source) > CHECKED_MAX:
            return False
        if script_hash not in self._in_order:
            with self._turn:
                if not self._asked(source):
                    return False
            self._in_order[script_hash] = None
            if len(self._in_order) > REMEMBERED:
                self._in_order.popitem(last=False)
        return True

    def close(self) -> None:
        """End the process."""
        if self._worker is not None:
            self._worker.close()

    def _asked(self, source: str) -> bool:
        worker = self._living()
        try:
            with gevent.Timeout(CHECK_SECONDS) as timeout:
                return worker.ask({"check": source}).get("checked") is True
        except FrameError:
            return False
        except gevent.Timeout as error:
            worker.kill()
            if error is not timeout:
                raise
            return False
        except BaseException:
            # The client has hung up: the answer would be taken for the next one's.
            worker.kill()
            raise
        finally:
            worker.discard_output()

    def _living(self) -> C:
        """Return the process, a new one if there is none or it has checked enough."""
        worker, self._checks = self._worker, self._checks + 1
        if worker is not None and worker.alive and self._checks <= CHECKS_MAX:
            return worker
        if worker is not None:
            worker.kill()
            gevent.spawn(worker.close)
        self._worker, self._checks = None, 1
        self._worker = self._start()
        return self._worker
