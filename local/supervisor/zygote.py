"""Servers as forks of one process that has loaded what they share: see `local.supervisor.zygote_process`.

They share its memory, and start without loading it again.
"""

import contextlib
import json
import select
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from local.supervisor.account import Account
from local.supervisor.managed_process import INTERPRETER, Part, PartError
from local.supervisor.proc import born, wait_until

#: Longest message between supervisor and zygote, in bytes.
PACKET_MAX = 64 << 10
#: Seconds: longer than anything takes to end.
_LONG = 3600.0


class Order(NamedTuple):
    """A server to fork.

    Attributes:
        name: of the process. The kernel keeps 15 bytes of it.
        arguments: of gunicorn.
        environment: all of it.
        folder: where it works.
        account: user and group; None: those of the zygote.
        listening: the number in the server of the socket that comes after the log, if one does.
    """

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    folder: str
    account: Sequence[int] | None
    listening: Sequence[int]


class Zygote(Part):
    """The process that forks servers.

    Args:
        log: its log.
        code: the folder that servers load code from.
        template: the folder of their configuration and worker.
    """

    def __init__(self, log: Path, code: Path, template: str) -> None:
        super().__init__("zygote", log, Account.own())
        self._code = code
        self._template = template
        self._control: socket.socket | None = None
        self._theirs: socket.socket | None = None
        #: How servers have ended, by pid.
        self._ended: dict[int, int] = {}

    def command(self) -> list[str]:
        return [str(INTERPRETER), "-m", "local.supervisor.zygote_process", *map(str, self.descriptors())]

    def working_folder(self) -> Path:
        return self._code

    def environment(self) -> dict[str, str]:
        return super().environment() | {"PYTHONPATH": str(self._code / self._template)}

    def descriptors(self) -> tuple[int, ...]:
        return (self._theirs.fileno(),) if self._theirs else ()

    def launch(self) -> None:
        """Start without waiting."""
        self._control, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(self.start_timeout)
        super().launch()
        self._theirs.close()
        self._theirs = None

    def answers(self) -> bool:
        """Return whether it takes orders: as soon as it is launched."""
        return self.alive

    def stop(self) -> None:
        """End it. Servers that live are told to end by the kernel."""
        if self._control is not None:
            self._control.close()
            self._control = None
        super().stop()

    def fork(self, order: Order, descriptors: Sequence[int]) -> "Fork":
        """Fork a server, once all is loaded.

        Args:
            order: the server.
            descriptors: of the log, and of a listening socket if there is one.

        Raises:
            PartError: it cannot be forked.
        """
        answer: dict[str, Any] = {}
        try:
            if self._control is not None:
                with contextlib.suppress(ConnectionError):  # it has ended, as `_received` finds
                    socket.send_fds(self._control, [json.dumps(order._asdict()).encode()], descriptors)
            while self._control is not None and not answer.keys() & {"pid", "refused"}:
                answer = self._received()
        except OSError as error:
            raise PartError(f"{self.name}: {error}", self.log_lines()) from error
        if not answer:
            wait_until(lambda: not self.alive, self.stop_timeout)
            raise self.failure()
        if "refused" in answer:
            raise PartError(f"{order.name} cannot be forked: {answer['refused']}")
        return Fork(self, answer["pid"])

    def ended(self, pid: int, birth: str | None, timeout: float) -> int | None:
        """Return how a server has ended, as Popen has it, or None if it still lives after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while pid not in self._ended:
            left = max(0.0, deadline - time.monotonic())
            if self._control is None:
                # The zygote has ended, and the kernel has told the server to end.
                gone = wait_until(lambda: born(pid) != birth, left)
                return -signal.SIGTERM if gone else None
            if not select.select([self._control], [], [], left)[0]:
                return None
            self._received()
        return self._ended.pop(pid)

    def _received(self) -> dict[str, Any]:
        """Receive a message, and note the end that it tells. Empty: the zygote itself has ended."""
        packet = b""
        with contextlib.suppress(ConnectionError):
            packet = self._control.recv(PACKET_MAX) if self._control is not None else b""
        if not packet:
            self._control = None
            return {}
        message: dict[str, Any] = json.loads(packet)
        if "ended" in message:
            self._ended[message["ended"]] = message["status"]
        return message


class Fork:
    """A server that the zygote has forked, with what `Part` uses of Popen."""

    def __init__(self, zygote: Zygote, pid: int) -> None:
        self.pid = pid
        self._zygote = zygote
        self._birth = born(pid)
        self._status: int | None = None

    def poll(self) -> int | None:
        """Return its status, or None while it lives."""
        if self._status is None:
            self._status = self._zygote.ended(self.pid, self._birth, 0)
        return self._status

    def wait(self, timeout: float = _LONG) -> int:
        """Return its status when it has ended. Raises TimeoutExpired."""
        if self._status is None:
            self._status = self._zygote.ended(self.pid, self._birth, timeout)
        if self._status is None:
            raise subprocess.TimeoutExpired("a server", timeout)
        return self._status
