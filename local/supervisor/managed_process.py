"""A part of the service: one process with a log, a sign of being ready, and an orderly end."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Protocol

from local.supervisor.account import Account
from local.supervisor.proc import born, pauses, send

#: Python, by its real place: a link may lead to it through a folder that other accounts cannot enter.
INTERPRETER = Path(sys.prefix).resolve() / "bin" / "python"
_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None, use_errno=True).prctl


class PartError(Exception):
    """A part cannot be started, or died. The message is one line; `log_lines` are the part's last words.

    A traceback shows both.
    """

    def __init__(self, message: str, log_lines: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.log_lines = log_lines
        for line in log_lines:
            self.add_note(line)


class Process(Protocol):
    """What `Part` uses of a process, as `subprocess.Popen` has it."""

    @property
    def pid(self) -> int:
        """Its number."""

    def poll(self) -> int | None:
        """Return its status, or None while it lives."""

    def wait(self, timeout: float = ...) -> int:
        """Return its status when it has ended. Raises TimeoutExpired."""


class Part(ABC):
    """One process. Subclasses say what to run and how to tell that it answers."""

    stop_signal = signal.SIGTERM
    #: Seconds until a part must answer, and until a part that was told to stop is killed.
    start_timeout = 120.0
    stop_timeout = 30.0

    def __init__(self, name: str, log: Path, account: Account) -> None:
        self.name = name
        self.log = log
        self.account = account
        self._process: Process | None = None
        self._log_start = 0
        self._told = False

    @abstractmethod
    def command(self) -> list[str]:
        """The program and its arguments."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether the part serves requests now. Bounded in time."""

    def environment(self) -> dict[str, str]:
        """What the process gets to see; nothing else of ours is handed on."""
        return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}

    def working_folder(self) -> Path:
        return Path("/")

    def descriptors(self) -> tuple[int, ...]:
        """Descriptors of ours that the process inherits."""
        return ()

    def prepare(self) -> None:  # noqa: B027 - most parts need nothing
        """Make what must be there before the process starts."""

    @property
    def pid(self) -> int:
        """Of the process started last. Raises PartError when there was none."""
        if self._process is None:
            raise PartError(f"{self.name} was not started")
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def status(self) -> int | None:
        """How the process ended, as Popen has it; None while it runs or before it was started."""
        return self._process.poll() if self._process else None

    def start(self, pause: Callable[[float], None] = time.sleep) -> None:
        """Start and wait until it answers; `pause` waits a moment. Raises PartError when it does not."""
        self.launch()
        self.await_answer(pause)

    def launch(self) -> None:
        """Start without waiting."""
        self.prepare()
        self._spawn()

    def await_answer(self, pause: Callable[[float], None] = time.sleep) -> None:
        """Wait until it answers; `pause` waits a moment. Raises PartError when it does not."""
        deadline = time.monotonic() + self.start_timeout
        for seconds in pauses():
            if self.answers():
                return
            if not self.alive and not self.answers():
                raise self.failure()
            if time.monotonic() > deadline:
                raise PartError(
                    f"{self.name} does not answer after {self.start_timeout:g} s", self.log_lines()
                )
            pause(seconds)

    def _spawn(self) -> None:
        """Start the process in a session of its own: a terminal's Ctrl-C reaches only who ends the parts in order."""
        self._told = False
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = self._started(log)

    def _started(self, log: IO[bytes]) -> Process:
        """Start the process."""
        return subprocess.Popen(
            self.command(),
            cwd=self.working_folder(),
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=self.descriptors(),
            preexec_fn=bind_to_parent(self.stop_signal),  # noqa: PLW1509 - no thread of ours is near
            **self.account.popen,
        )

    def ask_to_stop(self) -> None:
        """Tell the process to end, once, without waiting until it has."""
        if self.alive and not self._told:
            self._told = True
            send(self.pid, self.stop_signal)

    def stop(self) -> None:
        """End the process: politely, then by force. The end of one that is gone already is no error."""
        if self._process is None:
            return
        if self.alive:
            self.ask_to_stop()
            try:
                self._process.wait(self.stop_timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        self._end_group()

    def kill(self) -> None:
        """End the process as a crash would."""
        send(self.pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def replace(self) -> bool:
        """Start anew in the place of a process that died. Returns False where that would not help."""
        return False

    def failure(self) -> PartError:
        """How the process ended, as an error to raise."""
        return PartError(ended_by_itself(self.name, self.status), self.log_lines())

    def log_lines(self, count: int = 10) -> list[str]:
        """The last lines the process of now has written."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace").splitlines()[-count:]

    def identity(self) -> tuple[int, str | None]:
        """Pid and birth, which name the process for good."""
        return self.pid, born(self.pid)

    def _end_group(self) -> None:
        """Whatever the process has left behind in its group goes too."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return


def ended_by_itself(name: str, status: int | None) -> str:
    """The line for a process that ended unasked; `status` as Popen has it."""
    how = signal.Signals(-status).name if status is not None and status < 0 else f"status {status}"
    return f"{name} ended by itself ({how})"


def bind_to_parent(number: signal.Signals) -> Callable[[], None]:
    """For the child: end when we are gone, however that came; and hear the signals that we may have blocked."""
    parent = os.getpid()

    def bind() -> None:
        _prctl(_PR_SET_PDEATHSIG, int(number))
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        if os.getppid() != parent:
            os._exit(1)

    return bind
