"""Call: the one record of a request, from its first byte to its last log line.

The log context, the metrics, the span, the access line and the rows in PostgreSQL are made from it. The Flask apps
and the plain WSGI application of `controller.web.execute` both use it: a request begins, is answered, and ends. It
ends without an answer if its client hangs up.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from time import perf_counter
from typing import Any

import msgspec

from controller.errors import ClientGone, DeadlinePassed, ScriptFailed, ServiceError, StoreUnavailable
from controller.json_codec import dumps
from controller.limits.rate_limit import Admission
from controller.models.outcome import Run
from controller.models.registered import Identity, LanguageTitle, now
from controller.observability.access_log import LINES
from controller.observability.correlation import CorrelationIds, log_context
from controller.observability.masking import Masker
from controller.observability.metrics import METHODS, NO_LANGUAGE, MetricsCollector
from controller.request_log.rows import ErrorRow, RequestRow, Row, legal, ordered_id
from controller.request_log.writes import RequestLog, Write
from telemetry.tracing import NO_SPAN, Span, Tracer

#: Longest logged path, in characters. The log's index keeps no longer words.
PATH_MAX = 1024
#: Paths that monitoring requests every few seconds. A success is logged at the level debug.
PROBES = ("/health", "/metrics")
#: Field of the access line to the span attribute with the same value.
SPAN_ATTRIBUTES = {
    "http.request.method": "http.request.method",
    "http.response.status_code": "http.response.status_code",
    "faas.name": "faas.name",
    "faas.coldstart": "faas.coldstart",
    "labels.cache": "lambda.cache",
    "labels.language": "lambda.language",
}


class CallFactory:
    """Begins the calls of one endpoint.

    Args:
        endpoint: the function's name in metrics and log lines.
        metrics: counts the calls.
        tracer: makes the span of each call.
        request_log: receives the rows.
        masker: removes secrets from the rows.
    """

    def __init__(
        self,
        endpoint: str,
        metrics: MetricsCollector,
        tracer: Tracer,
        request_log: RequestLog,
        masker: Masker,
    ) -> None:
        self.endpoint = endpoint
        self.metrics = metrics
        self.request_log = request_log
        self.masker = masker
        self._tracer = tracer

    def begin(self, environ: dict[str, Any]) -> "Call":
        """Begin the call of a WSGI request. From now on the log lines of this greenlet carry its ids."""
        method = environ["REQUEST_METHOD"]
        method = method if method in METHODS else "other"
        probe = self.endpoint == "health" or environ["PATH_INFO"] in PROBES
        span = NO_SPAN if probe else self._tracer.request(f"{method} /{self.endpoint}", environ)
        return Call(self, method, environ, span, probe=probe)


class Call:
    """What is known about one request. Each step of the request adds to it.

    Attributes:
        ids: the ids that identify the request in every log.
        admission: the request's slot in the rate limit. It gives the RateLimit headers of the response.
        payload: the request as its row shows it. None: the call did not reach the workflow and gets no row.
        name, language, session_id, script_hash: the function and session of the call, as far as they are known.
        version: of an execution by name, the version of the function.
        run: the result of a successful run.
        error: the error that the client gets.
        lookup: where the result came from: hit, coalesced, miss or refresh.
        cached: whether the result came from another run.
        replayed: whether an earlier request with the same Idempotency-Key got this answer.
        counted_in_redis: whether the session's counter in Redis includes this execution.
        runtime_ms: milliseconds spent in runtimes.
    """

    __slots__ = (
        "_before", "_context", "_counting", "_factory", "_held", "_method", "_path", "_probe", "_span", "_started",
        "_status", "admission", "cached", "counted_in_redis", "error", "ids", "language", "lookup", "name", "payload",
        "replayed", "run", "runtime_ms", "script_hash", "session_id", "user_id", "version",
    )  # fmt: skip

    def __init__(
        self, factory: CallFactory, method: str, environ: dict[str, Any], span: Span, *, probe: bool
    ) -> None:
        self._started = perf_counter()
        self._factory = factory
        self._method = method
        self._path = _path(environ)
        self._probe = probe
        self._status: int | None = None
        self._counting = False
        #: The call's row, while Redis is asked to count it.
        self._held: RequestRow | None = None
        self.admission: Admission | None = None
        self.user_id = ""
        self.payload: Mapping[str, Any] | None = None
        self.name: LanguageTitle | None = None
        self.language: str | None = None
        self.session_id: str | None = None
        self.script_hash: str | None = None
        self.version: int | None = None
        self.run: Run | None = None
        self.error: ServiceError | None = None
        self.lookup: str | None = None
        self.cached = self.replayed = False
        self.counted_in_redis = True
        self.runtime_ms = 0.0
        self._span = span.__enter__()
        ids, own = CorrelationIds.of(environ), span.traceparent
        self.ids = msgspec.structs.replace(ids, traceparent=own) if own else ids
        self._context = self.ids.log_fields()
        if own:
            self._context["span.id"] = own.split("-")[2]
        self._before = log_context.set(self._context)

    def called_by(self, identity: Identity) -> None:
        """Record the caller."""
        self.user_id = self._context["user.id"] = identity.subject

    @contextmanager
    def at_runtime(self) -> Iterator[None]:
        """Count the time of the block as time spent in a runtime."""
        started = perf_counter()
        try:
            yield
        finally:
            self.runtime_ms += (perf_counter() - started) * 1000

    def failed(self, error: ServiceError) -> None:
        """Record the error that the client gets, and name the session in it."""
        self.error = error
        if self.script_hash is not None and self._factory.endpoint == "execute":
            error.request_id = self.session_id

    def answered(self, status: int) -> dict[str, str]:
        """Count and log the call; its response is complete. Return the headers that every response has."""
        self._status = status
        seconds = self._settle()
        factory = self._factory
        factory.metrics.answered(self._method, factory.endpoint, status, seconds, self.ids.trace_id)
        headers = {"X-Request-ID": self.ids.http_request_id}
        return headers if self.admission is None else headers | self.admission.headers()

    def end(self) -> None:
        """Write the access line and end the span: the response is sent, or the client is gone."""
        log_context.reset(self._before)
        if self._status is None:
            self._status = ClientGone.status
            self.error = ClientGone("the client hung up")
            self._settle()
        level = logging.DEBUG if self._probe and self._status < 400 else logging.INFO
        logged, traced = LINES.takes(level, self._status), self._span is not NO_SPAN
        fields = self._fields(self._status) if logged or traced else {}
        if logged:
            LINES.write(level, f"{self._method} /{self._factory.endpoint} {self._status}", fields)
        if traced:
            self._end_span(fields)

    def counting(self) -> None:
        """Keep the call's row back until `counted` is called: Redis is asked to count the execution."""
        self._counting = True

    def counted(self, *, by_store: bool) -> None:
        """Record whether Redis has counted the execution. False: the row says so, and PostgreSQL counts it."""
        self._counting = False
        self.counted_in_redis = self.counted_in_redis and by_store
        if self._held is not None:
            row, self._held = self._held, None
            row.counted = self.counted_in_redis
            self._factory.request_log.record(*self._writes(row))

    def rows(self, duration_ms: float) -> list[Write]:
        """Return the row of `request_logs` and, if the call failed, that of `error_logs`. Secrets are masked."""
        return self._writes(self._request_row(duration_ms))

    def _writes(self, row: RequestRow) -> list[Write]:
        rows = [Write("write_requests", row=row.written(), traceparent=self.ids.traceparent)]
        if self.error is not None:
            rows.append(Write("write_errors", row=self._error_row(row, self.error).written()))
        return rows

    @property
    def executed(self) -> bool:
        """Whether a script ran for this call. Such a call counts for its session, even if the run failed."""
        ran = self.run is not None or isinstance(self.error, ScriptFailed | DeadlinePassed)
        return ran and not self.replayed

    def _settle(self) -> float:
        """Count the call and queue its rows. Return the seconds it took."""
        factory = self._factory
        seconds = perf_counter() - self._started
        code = "ok" if self.error is None else self.error.code.lower()
        own = None
        if self.payload is not None and self.lookup != "coalesced":
            own = seconds - self.runtime_ms / 1000
        factory.metrics.call_ended(factory.endpoint, self.language or NO_LANGUAGE, code, own, self.lookup)
        if self.payload is not None:
            row = self._request_row(seconds * 1000)
            if self._counting:
                self._held = row
                return seconds
            factory.request_log.record(*self._writes(row))
            if not self.counted_in_redis and self.executed:
                # Redis did not count it, so the row is written before the answer is sent. Else no counter has it yet.
                with suppress(StoreUnavailable):
                    factory.request_log.flush()
        return seconds

    def _end_span(self, fields: dict[str, Any]) -> None:
        span = self._span
        span.note({there: fields[here] for here, there in SPAN_ATTRIBUTES.items() if here in fields})
        if fields["http.response.status_code"] >= 499:
            span.failed(fields.get("error.code", "INTERNAL_ERROR"))
        span.__exit__()

    def _fields(self, status: int) -> dict[str, Any]:
        """Return the fields of the access line."""
        fields = self._context
        if self.name is not None:
            fields["faas.name"] = str(self.name)
        if self.run is not None and (cold := self.run.usage.get("cold")) is not None:
            fields["faas.coldstart"] = cold
        if self.session_id is not None:
            fields["labels.session_id"] = self.session_id
        if self.language is not None:
            fields["labels.language"] = self.language
        if self.replayed or self.lookup is not None:
            fields["labels.cache"] = "replay" if self.replayed else self.lookup
        if self.error is not None:
            fields.update(self.error.log_fields())
        fields["http.request.method"] = self._method
        fields["url.path"] = self._path
        fields["http.response.status_code"] = status
        fields["event.duration"] = int((perf_counter() - self._started) * 1e9)
        fields["event.outcome"] = "success" if status < 400 else "failure"
        return fields

    def _request_row(self, duration_ms: float) -> RequestRow:
        ids, name, run, error, masker = self.ids, self.name, self.run, self.error, self._factory.masker
        response = error.document() if error else run.result if run else None
        payload, answered = masker.json(self.payload, response)
        usage = run.usage if run else error.usage if error else None
        return RequestRow(
            id=ordered_id(),
            created_at=now(),
            endpoint=self._factory.endpoint,
            http_request_id=ids.http_request_id,
            call_id=None if ids.call_id is None else masker.text(legal(ids.call_id)),
            traceparent=ids.traceparent,
            session_id=legal(self.session_id) if self.session_id else None,
            user_id=legal(self.user_id),
            language=name.language if name else None,
            title=name.title if name else None,
            script_hash=self.script_hash,
            request_payload=payload,
            response_data=answered,
            status="error" if error else "ok",
            status_code=error.status if error else 200,
            error_code=error.code if error else None,
            cached=self.cached,
            executed=self.executed,
            counted=self.counted_in_redis,
            duration_ms=duration_ms,
            execution_time_ms=run.execution_time if run else None,
            runtime_metrics=dumps(usage).decode() if usage else None,
            version=self.version,
        )

    def _error_row(self, row: RequestRow, error: ServiceError) -> ErrorRow:
        masker = self._factory.masker
        common = {name: getattr(row, name) for name in Row.__struct_fields__}
        (details,) = masker.json(error.details)
        return ErrorRow(**common, message=masker.text(legal(error.message)), details=details)


def _path(environ: dict[str, Any]) -> str:
    """Return the path as the client wrote it, decoded."""
    path: str = (environ["SCRIPT_NAME"] + environ["PATH_INFO"])[:PATH_MAX]
    return path if path.isascii() else path.encode("latin-1").decode("utf-8", "replace")
