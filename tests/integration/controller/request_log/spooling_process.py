"""A process that fills or drains a spool: `python -m ... <folder> append <first number> | drain <most>`.

Each line on its stdout is the number of a record: one that is on the disk, or one that was read.
`append` runs until it is killed. `drain` kills itself after `most` records, before it forgets the last one.
"""

import itertools
import os
import signal
import sys
from pathlib import Path

from prometheus_client import CollectorRegistry

from controller.observability.metrics import MetricsCollector
from controller.request_log.spool import Spool

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


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
