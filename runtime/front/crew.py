"""Crew: greenlets that are kept between calls. A new one costs an mmap and a munmap."""

from collections.abc import Callable
from typing import Any

import gevent
from gevent import get_hub

#: Greenlets that are kept without work.
KEPT = 64

#: Work of one greenlet. Returns whether the greenlet may do other work afterwards.
Work = Callable[[], bool]


class Crew:
    """Does each work in a greenlet. One that raises ends its greenlet."""

    def __init__(self) -> None:
        self._idle: list[Any] = []

    def do(self, work: Work) -> None:
        """Do some work. To be called in the loop: a kept greenlet starts immediately, until it waits."""
        if self._idle:
            self._idle.pop().switch(work)
        else:
            gevent.spawn(self._serve, [work])

    def _serve(self, first: list[Work]) -> None:
        hub, work = get_hub(), first.pop()  # a greenlet keeps its arguments
        while work() and len(self._idle) < KEPT:
            del work  # it may be large
            self._idle.append(gevent.getcurrent())
            work = hub.switch()
