"""What processes cost, of real ones."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench.processes import Meter
from local.supervisor.proc import descendants

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
    elif line == "keep\\n":
        kept.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
    print(kept[-1].pid if line == "keep\\n" else "done", flush=True)
"""


class Puppet:
    """A process that does as it is told."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.pid = process.pid
        self._process = process

    def do(self, what: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()


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


def test_a_descendant_that_is_a_part_itself_counts_for_itself() -> None:
    with puppet() as parent:
        child = int(parent.do("keep"))
        assert set(descendants(parent.pid)) == {parent.pid, child}

        together = Meter({"parent": [parent.pid]}).pss()["parent"]
        apart = Meter({"parent": [parent.pid], "child": [child]}).pss()

    assert apart["parent"] < together
    assert apart["child"] > 0


def test_a_process_that_is_gone_costs_nothing() -> None:
    with puppet() as process:
        meter = Meter({"part": [process.pid]})

    assert (meter.cpu(), meter.pss(), meter.peak()) == ({"part": 0}, {"part": 0}, {"part": 0})
