"""CallLog: every call is written and counted, however it ends."""

from contextlib import suppress
from time import perf_counter

import gevent

from controller.errors import ClientGone, DeadlinePassed, ScriptFailed, ServiceError, StoreUnavailable
from controller.observability.correlation import mark
from controller.observability.metrics import NO_LANGUAGE, MetricsCollector
from controller.request_log.logger import DatabaseLogger
from controller.request_log.writes import Entry


class CallLog:
    """Where calls are written and counted."""

    def __init__(self, logger: DatabaseLogger, metrics: MetricsCollector) -> None:
        self._logger = logger
        self._metrics = metrics

    def logged(self, entry: Entry) -> "LoggedCall":
        """A context manager: it writes the rows of the call that the block makes, and counts it."""
        return LoggedCall(self, entry)

    def remote(self, entry: Entry) -> "RemoteTime":
        """A context manager around what a runtime does for the call: that is not the controller's own time."""
        return RemoteTime(entry)

    def ended(self, entry: Entry) -> None:
        """The call is over: it is counted and written."""
        self._count(entry)
        mark(entry.marks())
        ran = entry.run is not None or isinstance(entry.error, ScriptFailed | DeadlinePassed)
        entry.executed = ran and not entry.replayed
        self._write(entry)

    def _count(self, entry: Entry) -> None:
        code = "ok" if entry.error is None else entry.error.code.lower()
        own = None if entry.coalesced else (entry.duration_ms - entry.remote_ms) / 1000
        self._metrics.call_ended(entry.endpoint, entry.language or NO_LANGUAGE, code, own)
        if entry.error is not None:
            entry.error.counted = True

    def _write(self, entry: Entry) -> None:
        self._logger.log(entry)
        if entry.executed and not entry.counted:
            # Redis has missed it: it has to be in PostgreSQL before it is answered, else it is in no count yet.
            with suppress(StoreUnavailable):
                self._logger.flush()


class LoggedCall:
    """See `CallLog.logged`."""

    __slots__ = ("_calls", "_entry", "_started")

    def __init__(self, calls: CallLog, entry: Entry) -> None:
        self._calls = calls
        self._entry = entry

    def __enter__(self) -> None:
        self._started = perf_counter()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        entry = self._entry
        if error is not None:
            entry.error = _told(error)
            if entry.script_hash is not None and entry.endpoint == "execute":
                entry.error.request_id = entry.session_id
        entry.duration_ms = (perf_counter() - self._started) * 1000
        self._calls.ended(entry)


class RemoteTime:
    """See `CallLog.remote`."""

    __slots__ = ("_entry", "_started")

    def __init__(self, entry: Entry) -> None:
        self._entry = entry

    def __enter__(self) -> None:
        self._started = perf_counter()

    def __exit__(self, *_: object) -> None:
        self._entry.remote_ms += (perf_counter() - self._started) * 1000


def _told(error: BaseException) -> ServiceError:
    """What the log and the figures call it."""
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, gevent.GreenletExit):
        return ClientGone("the client hung up")
    return ServiceError("an internal error")
