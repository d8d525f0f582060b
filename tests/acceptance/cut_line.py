"""A line between the controller and a runtime that is cut in the middle of what it carries."""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from random import Random
from typing import Self

from local.supervisor.ports import LOOPBACK

#: Pieces that pass before a cut: at least, at most. The first ones are the greeting and its answer.
PIECES = (3, 60)
PIECE_BYTES = 1 << 16
#: Has `close` end a connection by a reset.
RESET = struct.pack("ii", 1, 0)


class CutLine:
    """Carries connections to a Unix socket, and cuts each of them: a context manager.

    After a number of pieces, either way, a cut lets pass the head of the piece that is on its way, or all or nothing
    of it, and ends both sides, in order or by a reset.

    Args:
        path: of the Unix socket.
        chance: what decides on all of this.
    """

    def __init__(self, path: str, chance: Random) -> None:
        self._path = path
        self._chance = chance
        self._listener = socket.create_server((LOOPBACK, 0))
        self._accepting = threading.Thread(target=self._accept)
        self._cuts_now = False
        self.port: int = self._listener.getsockname()[1]
        self.cuts = 0

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Cut nothing more and take no connection more; those that are there end with their peers."""
        self._cuts_now = False
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()

    def begin(self) -> None:
        """Cut from now on. Until then all passes."""
        self._cuts_now = True

    def _accept(self) -> None:
        while True:
            try:
                asking, _ = self._listener.accept()
            except OSError:
                return
            answering = socket.socket(socket.AF_UNIX)
            answering.connect(self._path)
            ends, chance = (asking, answering), Random(self._chance.random())
            cut = Cut(ends, chance, self._count)
            for pair in (ends, ends[::-1]):
                threading.Thread(target=cut.carry, args=pair, daemon=True).start()

    def _count(self) -> bool:
        if self._cuts_now:
            self.cuts += 1
        return self._cuts_now


class Cut:
    """One connection, and what ends it.

    Args:
        ends: its two sides.
        chance: decides when and how.
        may: called before the cut. Returns whether to cut.
    """

    def __init__(
        self, ends: tuple[socket.socket, socket.socket], chance: Random, may: Callable[[], bool]
    ) -> None:
        self._ends = ends
        self._pieces = count(1)
        self._last = chance.randint(*PIECES)
        self._passes = chance.choice((0.0, chance.random(), 1.0))
        self._resets = chance.random() < 0.5
        self._may = may
        self._lock = threading.Lock()
        self._cut = False

    def _due(self) -> bool:
        """Whether to cut now. A connection, which two threads carry, is cut once."""
        with self._lock:
            due = not self._cut and next(self._pieces) >= self._last and self._may()
            self._cut |= due
            return due

    def carry(self, source: socket.socket, target: socket.socket) -> None:
        """Carry one way until the connection is cut, or one of its sides ends it."""
        with suppress(OSError):
            while piece := source.recv(PIECE_BYTES):
                if self._due():
                    target.sendall(piece[: int(len(piece) * self._passes)])
                    break
                target.sendall(piece)
        for end in self._ends:
            with suppress(OSError):
                if self._resets:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                # Wakes the thread of the other way, which a mere `close` leaves waiting.
                end.shutdown(socket.SHUT_RD if self._resets else socket.SHUT_RDWR)
            end.close()
