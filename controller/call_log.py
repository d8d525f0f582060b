"""CallLog: every call is written and counted, however it ends."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import perf_counter

import gevent

from controller.database.logger import DatabaseLogger
from controller.database.records import Entry
from controller.errors import ClientGone, DeadlinePassed, ScriptFailed, ServiceError, StoreUnavailable
from controller.logs import mark
from controller.metrics import NO_LANGUAGE, MetricsCollector


class CallLog:
    """Where calls are written and counted."""

    def __init__(self, logger: DatabaseLogger, metrics: MetricsCollector) -> None:
        self._logger = logger
        self._metrics = metrics

    @contextmanager
    def logged(self, entry: Entry) -> Iterator[None]:
        """Writes the rows of the call that the block makes, and counts it."""
        started = perf_counter()
        try:
            yield
        except gevent.GreenletExit:
            entry.error = ClientGone("the client hung up")
            raise
        except ServiceError as error:
            entry.error = error
            if entry.script_hash is not None and entry.endpoint == "execute":
                error.request_id = entry.session_id
            raise
        except Exception:
            entry.error = ServiceError("an internal error")
            raise
        finally:
            entry.duration_ms = (perf_counter() - started) * 1000
            self._count(entry)
            mark(entry.marks())
            ran = entry.run is not None or isinstance(entry.error, ScriptFailed | DeadlinePassed)
            entry.executed = ran and not entry.replayed
            self._write(entry)

    @contextmanager
    def remote(self, entry: Entry) -> Iterator[None]:
        """Around what a runtime does for the call: that is not the controller's own time."""
        started = perf_counter()
        try:
            yield
        finally:
            entry.remote_ms += (perf_counter() - started) * 1000

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
