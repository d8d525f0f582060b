"""KeptGreenlets: greenlets that do one job after another.

Python takes the memory for a greenlet's frames from the kernel, and gives it back when the greenlet ends. These two
system calls, with the kernel's work on fresh pages, cost more than all else about a greenlet.
"""

from collections.abc import Callable
from contextvars import copy_context

import gevent
from gevent import GreenletExit, Timeout, get_hub
from gevent.event import AsyncResult


class Job:
    """Work that a greenlet does, in the context variables of its caller."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._context = copy_context()
        self._result: AsyncResult[object] = AsyncResult()
        self._begun = False
        self.killed = False
        self.greenlet: gevent.Greenlet[..., None] | None = None

    def ready(self) -> bool:
        """Return whether the work has ended."""
        return bool(self._result.ready())

    def get(self) -> object:
        """Wait for the work. Return its result, or the GreenletExit of a killed job. Raises the error of the work."""
        return self._result.get()

    def kill(self) -> None:
        """Raise GreenletExit where the work waits. Does not wait for its end."""
        self.killed = True
        if not self._begun:
            self._result.set(GreenletExit())
        elif self.greenlet is not None and not self.ready():
            self.greenlet.kill(block=False)

    def run(self) -> None:
        """Do the work in this greenlet, unless the job was killed."""
        if self.killed:
            return
        self._begun = True
        try:
            self._result.set(self._context.run(self._work))
        except GreenletExit as end:
            self._result.set(end)
        except (Exception, Timeout) as error:  # noqa: BLE001 - the caller of `get` has to handle it
            self._result.set_exception(error)


class KeptGreenlets:
    """Starts jobs, each in a greenlet that has no other one.

    Args:
        most: greenlets that wait for a job. A further one ends with its job.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._idle: list[gevent.Greenlet[..., None]] = []

    def start(self, work: Callable[[], object]) -> Job:
        """Start a job. The caller goes on."""
        job = Job(work)
        if self._idle:
            job.greenlet = self._idle.pop()
            get_hub().loop.run_callback(job.greenlet.switch, job)
        else:
            job.greenlet = gevent.spawn(self._serve, [job])
        return job

    def _serve(self, first: list[Job]) -> None:
        job = first.pop()  # a greenlet keeps its arguments
        while True:
            job.run()
            # What kills a job may come after its end, and must not meet the next one.
            if job.killed or job.greenlet is None or len(self._idle) >= self._most:
                return
            self._idle.append(job.greenlet)
            del job  # its result may be large
            job = get_hub().switch()
