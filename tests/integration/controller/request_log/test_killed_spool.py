"""Processes that share a spool and are killed: what is on the disk comes back, whole.

As a program it fills or drains a spool: `python -m … <folder> append <first number> | drain <most>`. Each line on its
stdout is the number of a record: one that is on the disk, or one that was read. `append` runs until it is killed.
`drain` kills itself after `most` records, before it forgets the last one.
"""

import itertools
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from controller.observability.metrics import MetricsCollector
from controller.request_log.spool import Spool
from tests.waiting import until

PROGRAM = "tests.integration.controller.request_log.test_killed_spool"
PADDING = b" " + b"x" * 1000


def append(spool: Spool, first: int) -> None:
    for number in itertools.count(first, 2):
        spool.append([b"%d" % number + PADDING, b"%d" % (number + 1) + PADDING])
        os.write(1, b"%d\n%d\n" % (number, number + 1))


def drain(spool: Spool, most: int) -> None:
    for _ in range(most):
        spool.forget()
        for record in spool.read(1, 1 << 20):
            os.write(1, b"%d\n" % number_of(record))
    os.kill(os.getpid(), signal.SIGKILL)


def number_of(record: bytes) -> int:
    """The number of a record; raises ValueError unless it is whole."""
    number, padding = record[: -len(PADDING)], record[-len(PADDING) :]
    if padding != PADDING:
        raise ValueError(f"a damaged record: {record!r}")
    return int(number)


def main(folder: Path, work: str, number: int) -> None:
    spool = Spool(folder, 1 << 30, MetricsCollector(CollectorRegistry()))
    {"append": append, "drain": drain}[work](spool, number)


ROOT = Path(__file__).parents[4]
ROUNDS = 3
FAR_APART = 1_000_000
"""More than a process appends."""


class Processes:
    """Processes at one spool, and the numbers that they have written out."""

    def __init__(self, folder: Path) -> None:
        self.spool = folder / "spool"
        self._folder = folder
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, work: str, number: int) -> int:
        """Start a process; the answer is its place among those that were started."""
        with self._output(len(self._started)).open("wb") as output:
            command = [sys.executable, "-m", PROGRAM, str(self.spool), work, str(number)]
            self._started.append(subprocess.Popen(command, cwd=ROOT, stdout=output))
        return len(self._started) - 1

    def numbers(self, place: int) -> list[int]:
        return [int(line) for line in self._output(place).read_text().split()]

    def kill_after(self, least: int, place: int) -> None:
        """Kill the process, whatever it is at, once it has written out `least` numbers."""
        until(lambda: len(self.numbers(place)) >= least, "records are appended", 60)
        self._started[place].kill()
        assert self.ended(place) == -signal.SIGKILL

    def ended(self, place: int) -> int:
        return self._started[place].wait(60)

    def kill_all(self) -> None:
        for process in self._started:
            process.kill()
            process.wait()

    def _output(self, place: int) -> Path:
        return self._folder / f"numbers-{place}"


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    started = Processes(tmp_path)
    yield started
    started.kill_all()


def drained(folder: Path) -> list[int]:
    """The numbers of all that waits."""
    spool = Spool(folder, 1 << 30, MetricsCollector(CollectorRegistry()))
    numbers = []
    while records := spool.read(100, 1 << 20):
        numbers += [number_of(record) for record in records]
        spool.forget()
    spool.close()
    return numbers


def killed_writers(processes: Processes, first: int) -> list[int]:
    """The numbers of what two processes appended until they were killed, each in the middle of it."""
    writers = [processes.start("append", first), processes.start("append", first + FAR_APART)]
    for writer in writers:
        processes.kill_after(random.randint(40, 80), writer)
    return [number for writer in writers for number in processes.numbers(writer)]


def test_what_was_appended_outlives_writers_and_drains_that_are_killed(processes: Processes) -> None:
    for turn in range(ROUNDS):
        appended = killed_writers(processes, 2 * FAR_APART * turn)
        most = random.randint(1, 40)
        drain = processes.start("drain", most)
        assert processes.ended(drain) == -signal.SIGKILL
        interrupted, rest = processes.numbers(drain), drained(processes.spool)
        # The segment at which the drain was killed is read again, from its beginning.
        assert interrupted == rest[:most]
        assert len(rest) == len(set(rest))
        assert set(rest) >= set(appended)
        # A pair may be on the disk that its process did not come to write out.
        assert len(rest) <= len(appended) + 2 * 2
        assert drained(processes.spool) == []
        assert not list(processes.spool.rglob("*.spool"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
