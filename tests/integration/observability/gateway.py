"""Series of the names that OpenFaaS' gateway has, with known values: its licence keeps the gateway out of tests."""

from typing import Self

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server

from local.supervisor.ports import LOOPBACK, free_port

FUNCTION = "execute.openfaas-fn"
#: Calls of one round by status, and the seconds that each took.
CALLS = {"200": 30, "502": 3}
SECONDS = 0.2


class GatewaySeries:
    """An exporter; a context manager."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        labels = ["function_name", "code"]
        self._calls = Counter("gateway_function_invocation", "Calls of functions", labels, registry=registry)
        self._seconds = Histogram("gateway_functions_seconds", "Time of calls", labels, registry=registry)
        self.port = free_port()
        self._server, self._thread = start_http_server(self.port, LOOPBACK, registry)

    def round(self) -> None:
        """The calls of one round."""
        for code, calls in CALLS.items():
            self._calls.labels(FUNCTION, code).inc(calls)
            for _ in range(calls):
                self._seconds.labels(FUNCTION, code).observe(SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
