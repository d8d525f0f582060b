"""A replica of a function: a process that is started again whenever it ends by itself."""

import contextlib
import time
from collections.abc import Callable, Iterator

import gevent
from gevent.event import Event

from tools.faas_local.deployment import Refused
from tools.faas_local.instance import Instance

#: Seconds between two looks at a process that starts, and at one that serves.
STARTING_LOOK = 0.05
SERVING_LOOK = 1.0
#: Looks in a row at which a process that has served does not answer, after which it is ended.
LOOKS = 5
#: Seconds until the first new start and until any later one; and of serving, after which the count begins anew.
BACKOFF, BACKOFF_MAX = 0.5, 30.0
STEADY = 30.0
#: Seconds that calls which are under way get when the replica is told to end.
DRAIN_TIMEOUT = 75.0


class Replica:
    """One of a function's processes, whichever it is at the moment.

    Args:
        make: makes a process, which is started here.
        report: takes the reason why it does not serve; empty when it does.
    """

    def __init__(self, make: Callable[[], Instance], report: Callable[[str], None]) -> None:
        self._make = make
        self._report = report
        self._instance: Instance | None = None
        self._calls = 0
        self._idle = Event()
        self._idle.set()
        self.ready = Event()
        self._keeper = gevent.spawn(self._keep)

    @property
    def port(self) -> int:
        """Of the process that is ready."""
        if self._instance is None:
            raise RuntimeError("a replica that is not ready has no port")
        return self._instance.port

    @property
    def pid(self) -> int | None:
        """Of its process; None while there is none."""
        return self._instance.pid if self._instance else None

    @contextlib.contextmanager
    def call(self) -> Iterator[None]:
        """A call is under way meanwhile: the replica does not end under it."""
        self._calls += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._calls -= 1
            if not self._calls:
                self._idle.set()

    def stop(self) -> None:
        """End it, after the calls that are under way. Nobody may begin a new one."""
        self._idle.wait(DRAIN_TIMEOUT)
        self._keeper.kill()
        self.ready.clear()
        if self._instance is not None:
            self._instance.stop()

    def _keep(self) -> None:
        pause = BACKOFF
        while True:
            served = self._run()
            pause = BACKOFF if served > STEADY else pause
            gevent.sleep(pause)
            pause = min(2 * pause, BACKOFF_MAX)

    def _run(self) -> float:
        """One process from its start to its end; returns for how many seconds it has served."""
        try:
            instance = self._instance = self._make()
            instance.start()
        except (OSError, Refused) as error:
            self._report(f"it cannot be started: {error}")
            return 0.0
        while instance.alive and not instance.answers():
            gevent.sleep(STARTING_LOOK)
        began = time.monotonic()
        self._watch(instance)
        self.ready.clear()
        self._report(instance.ending())
        instance.stop()
        return time.monotonic() - began

    def _become_ready(self) -> None:
        if not self.ready.is_set():
            self._report("")
            self.ready.set()

    def _watch(self, instance: Instance) -> None:
        """Returns when it ends, or does not answer for too long."""
        failed = 0
        while instance.alive and failed < LOOKS:
            if instance.answers():
                failed = 0
                self._become_ready()
            else:
                failed += 1
                self.ready.clear()
                self._report(f"{instance.name} does not answer")
            instance.wait(SERVING_LOOK)
