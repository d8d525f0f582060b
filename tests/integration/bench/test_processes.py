"""What processes cost, of real ones."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench.service import Meter

#: Each line is a thing to do, acknowledged when it is done.
PROGRAM = """
import os, subprocess, sys, time
def burn():
    while time.process_time() < 0.3: pass
kept = []
for line in sys.stdin:
    if line == "burn\\n":
        burn()
    elif line == "grow\\n":
        kept.append(b"x" * (64 << 20))
    elif line == "child\\n":
        subprocess.run([sys.executable, "-c", "import time\\nwhile time.process_time() < 0.3: pass"])
    print("done", flush=True)
"""


class Puppet:
    """A process that does as it is told."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.pid = process.pid
        self._process = process

    def do(self, what: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        self._process.stdout.readline()


@contextmanager
def puppet() -> Iterator[Puppet]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield Puppet(process)
    finally:
        process.communicate()


def test_cpu_of_a_process_and_of_children_that_are_gone() -> None:
    with puppet() as busy, puppet() as idle:
        meter = Meter({"busy": [busy.pid], "idle": [idle.pid]})
        before = meter.cpu()

        busy.do("burn")
        own = meter.cpu()
        busy.do("child")
        both = meter.cpu()

    assert own["busy"] - before["busy"] > 0.1
    assert both["busy"] - own["busy"] > 0.25
    assert both["idle"] - before["idle"] < 0.1


def test_memory() -> None:
    with puppet() as process:
        meter = Meter({"part": [process.pid]})
        before = meter.pss()["part"]
        process.do("grow")

        assert meter.pss()["part"] - before > 60
        assert meter.peak()["part"] > 64
