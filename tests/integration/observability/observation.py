"""Two rounds of load under the eyes of a real Prometheus, with each neighbour of the controller away for a moment.

OpenFaaS' gateway is an exporter with known values: its licence keeps the gateway out of tests.
"""

import time
from collections import Counter
from collections.abc import Callable
from typing import Self

import psycopg2
from prometheus_client import CollectorRegistry, Histogram, start_http_server
from prometheus_client import Counter as CounterSeries

from local.supervisor.ports import LOOPBACK, free_port
from tests.acceptance.deployment import Deployment
from tests.conftest import ROOT
from tests.integration.observability.load import NAP, SUM, Load
from tests.integration.observability.prometheus import Api
from tests.integration.observability.seen import Seen
from tests.waiting import until

GATEWAY_FUNCTION = "execute.openfaas-fn"
#: Calls of one round by status, and the seconds that each took.
GATEWAY_CALLS = {"200": 30, "502": 3}
GATEWAY_SECONDS = 0.2


class GatewaySeries:
    """An exporter; a context manager."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        labels = ["function_name", "code"]
        self._calls = CounterSeries(
            "gateway_function_invocation", "Calls of functions", labels, registry=registry
        )
        self._seconds = Histogram("gateway_functions_seconds", "Time of calls", labels, registry=registry)
        self.port = free_port()
        self._server, self._thread = start_http_server(self.port, LOOPBACK, registry)

    def round(self) -> None:
        """The calls of one round."""
        for code, calls in GATEWAY_CALLS.items():
            self._calls.labels(GATEWAY_FUNCTION, code).inc(calls)
            for _ in range(calls):
                self._seconds.labels(GATEWAY_FUNCTION, code).observe(GATEWAY_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


#: Calls while a neighbour is away; CIRCUIT_FAILURES of them open a circuit.
CALLS = 6


class Faults:
    """Makes faults.

    Args:
        holds: whether Prometheus has seen by now that a query's answer is not empty.
    """

    def __init__(self, service: Deployment, load: Load, holds: Callable[[str], bool]) -> None:
        self._service = service
        self._load = load
        self._holds = holds
        self._python = load.begin("known", NAP)
        self._nodejs = load.begin("known", SUM, "nodejs")
        self._calls = 0

    def stores(self) -> None:
        """Redis, then PostgreSQL, and both are back."""
        service = self._service
        service.redis.stop()
        self._known(CALLS)
        service.redis.start()
        self._until_well()
        service.postgres.stop()
        self._known(CALLS)
        for _ in range(CALLS):
            self._load.ledger.count(
                "functions",
                "none",
                "store_unavailable",
                lambda: self._load.client.request("GET", "/api/v1/functions"),
            )
        self._seen("lambda_log_spool_bytes > 0")
        service.postgres.start()
        self._until_well()
        self._seen("lambda_log_spool_bytes == 0")

    def runtime(self) -> None:
        """Node.js is gone, and its circuit opens."""
        self._service.runtimes["nodejs"].stop()
        for _ in range(CALLS):
            self._calls += 1
            self._load.execute(
                self._nodejs,
                {"a": self._calls, "b": 0},
                code="runtime_unavailable",
                language="nodejs",
            )
        self._seen('lambda_circuits{state="open"} == 1')
        self._seen("up == 0")

    def _known(self, calls: int) -> None:
        """Executions of a session that the controller remembers go on."""
        for _ in range(calls):
            self._calls += 1
            self._load.execute(self._python, {"seconds": 0, "n": self._calls})

    def _until_well(self) -> None:
        def well() -> bool:
            client, ledger = self._load.client, self._load.ledger
            answer = ledger.count("health", "none", "ok", lambda: client.request("GET", "/health"))
            return bool(answer.json()["status"] == "ok")

        until(well, "the service is well again")

    def _seen(self, query: str) -> None:
        until(lambda: self._holds(query), f"Prometheus sees {query}")


READER = ROOT / "deploy" / "grafana" / "reader.sql"
PASSWORD = "of the test"
STARTS = """
SELECT language, CASE WHEN cold THEN 'cold' ELSE 'warm' END, count(*)
FROM request_logs CROSS JOIN LATERAL analytics.figures(runtime_metrics)
WHERE runtime_metrics IS NOT NULL AND created_at > to_timestamp(%s) GROUP BY 1, 2
"""


def observed(api: Api, service: Deployment, gateway: GatewaySeries) -> Seen:
    """Makes the rounds; the second is measured. The first is for the series' first scrapes, which are in no rate."""
    load = Load(service)
    faults = Faults(service, load, lambda query: bool(api.query(query)))
    faults.stores()
    faults.runtime()
    service.runtimes["nodejs"].start()
    before = load.ledger
    first = load.round()
    gateway.round()
    start, _ = scraped(api)
    measured = load.round()
    gateway.round()
    faults.stores()
    faults.runtime()
    kept = "lambda_sessions_active > 0 and lambda_environments_bytes > 0"
    until(lambda: bool(api.query(kept)), "a round of maintenance has seen sessions and environments")
    _, end = scraped(api)
    starts = _starts(service, start)
    return Seen(api, start, end, measured, before + first + measured, starts, _reader(service))


def scraped(api: Api) -> tuple[float, float]:
    """Two moments between which every target was scraped, and after it the rules were looked at."""
    now = time.time()
    until(lambda: min(api.query("timestamp(up)").values()) > now, "everything is scraped")
    scraped = time.time()
    until(lambda: _last_evaluation(api) > scraped, "the rules are evaluated")
    return now, time.time()


def _last_evaluation(api: Api) -> float:
    groups = "prometheus_rule_group_last_evaluation_timestamp_seconds"
    return min(api.query(f"min by (rule_group) ({groups})").values())


def _starts(service: Deployment, since: float) -> Counter[tuple[str, ...]]:
    opened = psycopg2.connect(service.postgres.url)
    try:
        with opened.cursor() as cursor:
            cursor.execute(STARTS, [since])
            return Counter({(language, start): number for language, start, number in cursor.fetchall()})
    finally:
        opened.close()


def _reader(service: Deployment) -> str:
    """Makes Grafana's account as deploy/grafana says."""
    opened = psycopg2.connect(service.postgres.url)
    try:
        with opened, opened.cursor() as cursor:
            cursor.execute(READER.read_text())
            cursor.execute("ALTER ROLE grafana PASSWORD %s", [PASSWORD])
        return str(psycopg2.extensions.make_dsn(service.postgres.url, user="grafana", password=PASSWORD))
    finally:
        opened.close()
