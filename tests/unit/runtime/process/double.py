"""A confined process and its channel without a process: what the real ones tell is decided by a test."""

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gevent.event import AsyncResult

from runtime.frames import ChannelClosed
from runtime.process.process import Usage

#: A worker program: it answers a question, or raises what the channel of its process then says.
Program = Callable[["DoubleProcess", dict[str, Any]], dict[str, Any]]


class DoubleProcess:
    """Runs until it is killed or ends. It takes the part of `runtime.process.process.Process`.

    Attributes:
        memory_kib: the memory that its status shows.
        used: what it has used so far.
    """

    #: No process has this number, so that what is looked for in /proc is not found.
    pid = 1 << 30

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ended: AsyncResult[int] = AsyncResult()
        self.memory_kib = 1
        self.used = Usage(0.0, 0)
        self.suspended = self.closed = False
        self.grace = 0.0
        self.printed_bytes = 0
        self._output = ("", "")

    @property
    def alive(self) -> bool:
        return not self.ended.ready()

    def end(self, status: int) -> None:
        """End with an exit status, negative for a signal, unless it has ended."""
        if self.alive:
            self.ended.set(status)

    def print(self, stdout: str = "", stderr: str = "") -> None:
        self._output = (self._output[0] + stdout, self._output[1] + stderr)
        self.printed_bytes += len(stdout) + len(stderr)

    def kill(self) -> None:
        self.end(-signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int | None:
        return self.ended.get(timeout=1) if timeout is None else self.ended.wait(timeout=0)

    def cpu_seconds(self) -> float:
        return self.used.cpu_seconds

    def status(self) -> bytes:
        if not self.alive:
            return b""
        return f"VmRSS: {self.memory_kib} kB\nRssAnon: {self.memory_kib} kB\nThreads: 1\n".encode()

    def suspend(self, grace: float) -> None:
        self.suspended, self.grace = True, grace

    def resume(self) -> None:
        self.suspended = False

    def usage(self) -> Usage:
        return self.used

    def discard_output(self) -> None:
        self._output, self.printed_bytes = ("", ""), 0

    def take_output(self) -> tuple[str, str]:
        taken, self._output = self._output, ("", "")
        return taken

    def close(self) -> None:
        self.kill()
        self.closed = True


class DoubleChannel:
    """The dialogue with a worker program: a function that is handed the process and each question."""

    def __init__(self, process: DoubleProcess, program: Program) -> None:
        self._process = process
        self._program = program
        self.asked: list[Mapping[str, Any]] = []
        self.sent_bytes = self.received_bytes = 0
        self.waiting: object = None
        self.closed = False

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(question)
        self.sent_bytes += 100
        if not self._process.alive:
            raise ChannelClosed("the peer closed its end")
        answer = {"id": question["id"], **self._program(self._process, question)}
        self.received_bytes += 10
        return answer

    def close(self) -> None:
        self.closed = True
