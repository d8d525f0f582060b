"""Starts parts, watches them, and ends them in order."""

import json
import logging
import signal
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

from local.supervisor.door import KNOCK
from local.supervisor.managed_process import Part, PartError
from local.supervisor.proc import born, send, wait_until
from local.supervisor.python_server import HttpServer

ENDING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
HEARD = ENDING | {signal.SIGCHLD, KNOCK}


class Interrupted(Exception):
    """We were told to end."""


class Interruption:
    """Holds the signals back while it is entered; `pause` and `wait` hear them."""

    def __enter__(self) -> Self:
        self._before = signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Signals that came while everything was being stopped have got what they asked for."""
        while signal.sigtimedwait(HEARD, 0) is not None:
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)

    def pause(self, seconds: float) -> None:
        """Wait a moment, less when a child ends or a door is knocked at. Raises Interrupted."""
        heard = signal.sigtimedwait(HEARD, seconds)
        if heard is not None and heard.si_signo in ENDING:
            raise Interrupted

    def wait(self) -> None:
        """Wait until a child ends or a door is knocked at. Raises Interrupted."""
        if signal.sigwaitinfo(HEARD).si_signo in ENDING:
            raise Interrupted


LOG = logging.getLogger(__name__)
#: Seconds that what an earlier start has left gets to end by itself.
LEFTOVER_TIMEOUT = 15


class Supervisor:
    """The parts that run.

    Args:
        record: a file that names the processes, for the start that finds them without us.
        announce: says one line to the user; by default the line is logged.
        pause: waits for some seconds while a part starts. It may raise Interrupted.
    """

    def __init__(
        self,
        record: Path,
        announce: Callable[[str], None] = LOG.info,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.announce = announce
        self._record = record
        self._pause = pause
        self._groups: list[tuple[Part, ...]] = []
        self._held: list[HttpServer] = []

    def end_leftovers(self) -> None:
        """End what an earlier start has left running. Raises PartError when it does not go."""
        if not self._record.exists():
            return
        for name, pid, birth in json.loads(self._record.read_text()):
            if born(pid) == birth:
                self.announce(f"ending {name} of an earlier start that was killed (process {pid})")
                _end(name, pid, birth)
        self._record.unlink()

    def launch(self, *parts: Part) -> None:
        """Start a group of parts without waiting for them. Groups are ended in the opposite order."""
        self._groups.append(parts)
        for part in parts:
            part.launch()
        self._write_record()

    def launch_when_called(self, part: HttpServer, *bells: int) -> None:
        """Let `watch` start the part when its first client connects, which waits for it. Raises PartError.

        Args:
            part: the server.
            bells: see `HttpServer.hold`.
        """
        part.hold(*bells)
        self._held.append(part)

    def await_answers(self, *parts: Part) -> None:
        """Wait until the parts answer. Raises PartError or Interrupted."""
        for part in parts:
            part.await_answer(self._pause)

    def run(self, task: Part) -> None:
        """Run a part that ends by itself. Raises PartError when it ends badly, or Interrupted."""
        try:
            task.start(self._pause)
        finally:
            task.stop()

    def finish(self, task: Part) -> None:
        """Wait for a launched part that ends by itself. Raises PartError when it ends badly, or Interrupted."""
        try:
            task.await_answer(self._pause)
        finally:
            task.stop()
            self._groups.remove((task,))

    def watch(self, wait: Callable[[], None]) -> NoReturn:
        """Mend what dies, until that cannot be, and start what is called. Raises PartError.

        Args:
            wait: returns when a child ends or a door is knocked at, and raises Interrupted.
        """
        while True:
            self.mend()
            for part in [each for each in self._held if each.called()]:
                self._held.remove(part)
                self.launch(part)
            wait()

    def mend(self) -> None:
        """Start each part anew that has died. Raises PartError when that would not help."""
        for part in self._parts():
            if part.alive:
                continue
            failure = part.failure()
            if not part.replace():
                raise failure
            self._write_record()
            self.announce(f"{failure}; started again")

    def stop(self) -> None:
        """End the parts, the group that was started last first: none loses what it still needs.

        The record stays where nothing was started: it is then that of another supervisor.
        """
        while self._held:
            self._held.pop().release()
        if not self._groups:
            return
        self.announce("stopping")
        while self._groups:
            group = self._groups.pop()
            for part in group:
                part.ask_to_stop()
            for part in group:
                part.stop()
        self._record.unlink(missing_ok=True)

    def _parts(self) -> Iterator[Part]:
        return chain.from_iterable(self._groups)

    def _write_record(self) -> None:
        running = [(part.name, *part.identity()) for part in self._parts()]
        # In one step: we may be killed at any time, and the next start reads it.
        written = self._record.with_suffix(".new")
        written.write_text(json.dumps(running))
        written.rename(self._record)


def _end(name: str, pid: int, birth: str) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        send(pid, number)
        if wait_until(lambda: born(pid) != birth, LEFTOVER_TIMEOUT):
            return
    raise PartError(f"{name} of an earlier start (process {pid}) does not end")
