"""Measures what one run uses."""

import os
import time
from typing import NamedTuple

from runtime.errors import RunUsage
from runtime.process.confined import Confined, Dialogue
from runtime.process.process import Usage

#: CPU seconds between two runs beyond which a process loses its grace.
GRACE_CPU_SECONDS = 0.002
#: Seconds in which no process uses as much: the CPU time before a run that comes within them is not read.
SOON = GRACE_CPU_SECONDS / (os.cpu_count() or 1)


class Charge(NamedTuple):
    """The CPU time of a process that its runs have been charged for, and when, on the clock of `perf_counter`."""

    cpu_seconds: float
    at: float = 0.0


class RunMeter:
    """Measures one run, from the construction to `read`.

    Args:
        process: The process.
        channel: Its channel.
        cold: Whether the run loads the script.
        charged: What earlier runs have been charged for: this one is charged for the rest. None: the CPU time so far.

    Attributes:
        before: CPU time in seconds between the last charge and this run; 0 if that is too short a time to matter.
        used: Usage at the last reading.
        charge: What this run and the earlier ones are charged for, at the last reading.
    """

    def __init__(
        self, process: Confined, channel: Dialogue, *, cold: bool, charged: Charge | None = None
    ) -> None:
        self._process = process
        self._channel = channel
        self._cold = cold
        self._sent = channel.sent_bytes
        self._received = channel.received_bytes
        self._started = time.perf_counter()
        self.before = 0.0
        if charged is None:
            charged = Charge(process.cpu_seconds(), self._started)
        elif self._started - charged.at >= SOON:
            self.before = process.cpu_seconds() - charged.cpu_seconds
        self._charged = charged.cpu_seconds
        self.charge = charged
        self.used = Usage(0, 0)

    def read(self, fuel: int | None) -> RunUsage:
        """Return what the run has used."""
        now = time.perf_counter()
        used = self.used = self._process.usage()
        self.charge = Charge(used.cpu_seconds, now)
        return RunUsage(
            execution_time=round((now - self._started) * 1000, 3),
            cpu_time=round(max(0.0, used.cpu_seconds - self._charged) * 1000, 3),
            memory_usage_bytes=used.peak_memory_bytes,
            bytes_in=self._channel.sent_bytes - self._sent,
            bytes_out=self._channel.received_bytes - self._received + self._process.printed_bytes,
            fuel=fuel,
            cold=self._cold,
        )
