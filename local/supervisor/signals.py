"""The signals that end the service, heard only where we choose to listen: nothing is interrupted half done."""

import signal
from types import TracebackType
from typing import Self

ENDING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
HEARD = ENDING | {signal.SIGCHLD}


class Interrupted(Exception):
    """We were told to end."""


class Interruption:
    """Holds the signals back while it is entered; `pause` and `wait` hear them."""

    def __enter__(self) -> Self:
        self._before = signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Signals that came while everything was being stopped have got what they asked for."""
        while signal.sigtimedwait(HEARD, 0) is not None:
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)

    def pause(self, seconds: float) -> None:
        """Wait a moment, less when a child ends. Raises Interrupted."""
        heard = signal.sigtimedwait(HEARD, seconds)
        if heard is not None and heard.si_signo in ENDING:
            raise Interrupted

    def wait(self) -> None:
        """Wait until a child ends. Raises Interrupted."""
        if signal.sigwaitinfo(HEARD).si_signo in ENDING:
            raise Interrupted
