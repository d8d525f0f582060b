"""Two rounds of load with faults under the eyes of a real Prometheus."""

import time
from collections import Counter

import psycopg2

from tests.acceptance.deployment import Deployment
from tests.conftest import ROOT
from tests.integration.observability.api import Api
from tests.integration.observability.faults import Faults
from tests.integration.observability.gateway import GatewaySeries
from tests.integration.observability.load import Load
from tests.integration.observability.seen import Seen
from tests.waiting import until

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
    until(lambda: bool(api.query("lambda_sessions_active > 0")), "sessions are counted")
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
