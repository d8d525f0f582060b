"""Ports for the functions' processes."""

import itertools
import random
from collections.abc import Iterator

from local.supervisor.ports import is_free

#: Below those that the kernel gives to outgoing connections: one of these would not be taken between the choice and
#: its use.
RANGE = range(20_000, 32_000)


class Ports:
    """Hands out ports of the loopback address, a fresh one each time: who uses one may need a moment to listen."""

    def __init__(self) -> None:
        begin = random.randrange(len(RANGE))  # noqa: S311 - another provider shall begin elsewhere, no more
        self._next: Iterator[int] = itertools.cycle([*RANGE[begin:], *RANGE[:begin]])

    def take(self) -> int:
        """A port that nobody listens on."""
        return next(port for port in self._next if is_free(port))
