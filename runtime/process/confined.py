"""What a worker, and the watch over its runs, ask of a confined process and its channel."""

from pathlib import Path
from typing import Any, Protocol

from runtime.process.process import Usage


class Watched(Protocol):
    """What is asked of a process that is watched, see `runtime.process.process.Process`."""

    @property
    def pid(self) -> int:
        """Its number."""

    @property
    def folder(self) -> Path:
        """Its private folder."""

    def kill(self) -> None:
        """Kill it, without waiting."""

    def cpu_seconds(self) -> float:
        """CPU time since it started; 0 when it has ended."""

    def status(self) -> bytes:
        """Its `/proc/<pid>/status`; nothing when it has ended."""


class Confined(Watched, Protocol):
    """What a worker asks of its process, see `runtime.process.process.Process`."""

    @property
    def alive(self) -> bool:
        """False once it is known to have ended."""

    @property
    def printed_bytes(self) -> int:
        """What it has printed since `discard_output`."""

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for its end. Returns its exit status, negative for a signal. None: it still runs."""

    def suspend(self, grace: float) -> None:
        """Stop it after `grace` seconds until `resume`."""

    def resume(self) -> None:
        """Let it go on."""

    def usage(self) -> Usage:
        """What it has used so far."""

    def discard_output(self) -> None:
        """Forget what it has printed so far."""

    def take_output(self) -> tuple[str, str]:
        """What it has printed to stdout and stderr since the last call."""

    def close(self) -> None:
        """Kill it and give everything back."""


class Dialogue(Protocol):
    """What a worker asks of its channel, see `runtime.process.channel.ProcessChannel`."""

    sent_bytes: int
    received_bytes: int
    waiting: object

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Send a frame and wait for one. Raises FrameError."""

    def close(self) -> None:
        """Close it."""
