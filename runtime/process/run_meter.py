"""Measures what one run uses."""

import time

from runtime.errors import RunUsage
from runtime.process.confined import Confined, Dialogue
from runtime.process.process import Usage


class RunMeter:
    """Measures one run, from the construction to `read`."""

    def __init__(self, process: Confined, channel: Dialogue, *, cold: bool) -> None:
        self._process = process
        self._channel = channel
        self._cold = cold
        self._sent = channel.sent_bytes
        self._received = channel.received_bytes
        self._cpu_seconds = process.cpu_seconds()
        self._started = time.perf_counter()
        self.used = Usage(0, 0)

    def read(self, fuel: int | None) -> RunUsage:
        """Return what the run has used."""
        elapsed = time.perf_counter() - self._started
        used = self.used = self._process.usage()
        return RunUsage(
            execution_time=round(elapsed * 1000, 3),
            cpu_time=round(max(0.0, used.cpu_seconds - self._cpu_seconds) * 1000, 3),
            memory_usage_bytes=used.peak_memory_bytes,
            bytes_in=self._channel.sent_bytes - self._sent,
            bytes_out=self._channel.received_bytes - self._received + self._process.printed_bytes,
            fuel=fuel,
            cold=self._cold,
        )
