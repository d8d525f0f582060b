"""The runs of scripts that requests wait for: `Flight`, and `LedFlight` where no other process may follow."""

from collections.abc import Callable
from functools import partial

import gevent
from gevent import GreenletExit
from gevent.event import AsyncResult

from controller.execution.kept_greenlets import KeptGreenlets
from controller.models.outcome import FlightResult

#: Registers a callback for a client that hangs up.
Watch = Callable[[Callable[[], object]], object]


class Flight:
    """A greenlet that runs a script, or waits for a run of another process.

    Attributes:
        claims: whether other processes may know of it.
        joined: whether another request has joined.
        led: whether the request that began it still waits.
        over: whether the work has ended.

    Args:
        greenlets: do the work.
        work: returns the result, or None: try again.
        abandon: called when no request waits any more. Returns whether the work may be cancelled.
    """

    claims = True

    def __init__(
        self,
        greenlets: KeptGreenlets,
        work: "Callable[[Flight], FlightResult | None]",
        abandon: Callable[[], bool],
    ) -> None:
        self._abandon = abandon
        self._waiting = 0
        self.joined = False
        self.led = True
        self._job = greenlets.start(partial(work, self))

    @property
    def over(self) -> bool:
        """See the attributes."""
        return self._job.ready()

    def wait(self, watch: Watch, *, leads: bool) -> FlightResult | None:
        """Wait for the work's result. The calling greenlet is killed when its client hangs up.

        Args:
            watch: registers the callback for a client that hangs up.
            leads: whether the caller began the flight.

        Returns:
            The result. None: try again.
        """
        self._waiting += 1
        self.joined = self.joined or not leads
        served = gevent.getcurrent()
        watch(lambda: gevent.kill(served))
        try:
            result = self._job.get()
        finally:
            self._waiting -= 1
            self.led = self.led and not leads
            self._end_unless_awaited()
        return result if isinstance(result, FlightResult) else None

    def _end_unless_awaited(self) -> None:
        if self.over or self._waiting or not self._abandon():
            return
        if not self._waiting:
            self._job.kill()


class LedFlight:
    """A run in the greenlet of the request that began it, of which other processes know nothing.

    It saves a greenlet of the run, and two switches. If that request's client hangs up while others wait, its
    greenlet goes on for them, and ends after that. It has the attributes of `Flight`.

    Args:
        work: returns the result.
    """

    __slots__ = ("_leader", "_shared", "_waiting", "_work", "joined", "led", "over")
    claims = False

    def __init__(self, work: "Callable[[LedFlight], FlightResult]") -> None:
        self._work = work
        self._leader = gevent.getcurrent()
        self._shared: AsyncResult[FlightResult | None] | None = None
        self._waiting = 0
        self.joined = self.over = False
        self.led = True

    def wait(self, watch: Watch, *, leads: bool) -> FlightResult | None:
        """Do the work, if the caller leads, or wait for its result. See `Flight.wait`."""
        return self._lead(watch) if leads else self._follow(watch)

    def _lead(self, watch: Watch) -> FlightResult:
        watch(self._left)
        try:
            result = self._work(self)
        except GreenletExit:
            self._share(None)
            raise
        except BaseException as error:
            self.over = True
            if self._shared is not None:
                self._shared.set_exception(error)
            raise
        self._share(result)
        if not self.led:
            raise GreenletExit
        return result

    def _follow(self, watch: Watch) -> FlightResult | None:
        if self._shared is None:
            self._shared = AsyncResult()
        served = gevent.getcurrent()
        self.joined = True
        self._waiting += 1
        watch(lambda: gevent.kill(served))
        try:
            return self._shared.get()
        finally:
            self._waiting -= 1
            self._end_unless_awaited()

    def _left(self) -> None:
        """Note that the client of the request that began the flight has hung up."""
        self.led = False
        self._end_unless_awaited()

    def _end_unless_awaited(self) -> None:
        if not (self.led or self.over or self._waiting):
            gevent.kill(self._leader)

    def _share(self, result: FlightResult | None) -> None:
        self.over = True
        if self._shared is not None:
            self._shared.set(result)
