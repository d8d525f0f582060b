"""Measures what one run uses."""

import time

from runtime.errors import RunUsage
from runtime.process.confined import Confined, Dialogue
from runtime.process.process import Usage


class RunMeter:
    """Measures one run, from the construction to `read`.

    Args:
        process: The process.
        channel: Its channel.
        cold: Whether the run loads the script.
        charged: CPU time of the process that earlier runs have been charged for: this one is charged for the rest.
            None: its CPU time so far.

    Attributes:
        before: CPU time in seconds between the last charge and this run.
        used: Usage at the last reading.
    """

    def __init__(
        self, process: Confined, channel: Dialogue, *, cold: bool, charged: float | None = None
    ) -> None:
        self._process = process
        self._channel = channel
        self._cold = cold
        self._sent = channel.sent_bytes
        self._received = channel.received_bytes
        now = process.cpu_seconds()
        self._charged = now if charged is None else charged
        self.before = now - self._charged
        self._started = time.perf_counter()
        self.used = Usage(0, 0)

    def read(self, fuel: int | None) -> RunUsage:
        """Return what the run has used."""
        elapsed = time.perf_counter() - self._started
        used = self.used = self._process.usage()
        return RunUsage(
            execution_time=round(elapsed * 1000, 3),
            cpu_time=round(max(0.0, used.cpu_seconds - self._charged) * 1000, 3),
            memory_usage_bytes=used.peak_memory_bytes,
            bytes_in=self._channel.sent_bytes - self._sent,
            bytes_out=self._channel.received_bytes - self._received + self._process.printed_bytes,
            fuel=fuel,
            cold=self._cold,
        )
