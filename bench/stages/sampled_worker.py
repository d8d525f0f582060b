"""The functions' gunicorn worker, which can tell where its CPU time goes.

gunicorn loads it by name. The kernel interrupts it after each few milliseconds of CPU time, of its own and of what
it has the kernel do, and the stage is counted that is at work then. SIGUSR2 begins the counting, the next one ends it
and writes the counts as a line.
"""

import json
import signal
import sys
from collections import Counter
from types import FrameType

from http_worker import HttpWorker

from bench.stages.stage import MARK, stage

#: Seconds of CPU time; the kernel's clock does not tick faster.
INTERVAL = 0.001


class SampledWorker(HttpWorker):
    """See the module."""

    def init_signals(self) -> None:
        super().init_signals()
        self._counts: Counter[str] | None = None
        signal.signal(signal.SIGPROF, self._count)
        signal.signal(signal.SIGUSR2, self._turn)

    def _count(self, number: int, frame: FrameType | None) -> None:
        if self._counts is not None:
            self._counts[stage(frame)] += 1

    def _turn(self, number: int, frame: FrameType | None) -> None:
        if self._counts is None:
            self._counts = Counter()
            signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)
        else:
            signal.setitimer(signal.ITIMER_PROF, 0)
            print(MARK + json.dumps(self._counts), file=sys.stderr, flush=True)
            self._counts = None
