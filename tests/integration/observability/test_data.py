"""Every query of every panel and rule, sent to a real Prometheus and a real PostgreSQL after load of every kind."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yaml

from local.account import remove
from local.dashboards.documents import dashboards
from local.debian_program import DebianProgram
from local.monitoring import targets
from local.port import LOOPBACK, free_port
from local.prometheus import DEPLOYED, PrometheusServer
from local.state import State
from tests.acceptance.deployment import Deployment
from tests.integration.observability.api import Api
from tests.integration.observability.expected_panels import PANELS
from tests.integration.observability.expected_rules import ALERTS, RECORDED
from tests.integration.observability.faults import Faults
from tests.integration.observability.gateway import GatewaySeries
from tests.integration.observability.ledger import Ledger
from tests.integration.observability.load import Load
from tests.integration.observability.seen import Seen
from tests.waiting import until

#: Seconds between two scrapes.
INTERVAL = 1
DOCUMENTS = {document["uid"]: document for document in dashboards().values()}
STARTS = """
SELECT language, CASE WHEN cold THEN 'cold' ELSE 'warm' END, count(*)
FROM request_logs CROSS JOIN LATERAL analytics.figures(runtime_metrics)
WHERE runtime_metrics IS NOT NULL AND created_at > to_timestamp(%s) GROUP BY 1, 2
"""


@pytest.fixture(scope="module")
def seen(
    prometheus_program: DebianProgram,
    node_program: str,
    rust_toolchain: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Seen]:
    """Two rounds of load with faults, the second of which is measured."""
    folder = tmp_path_factory.mktemp("observed")
    service = Deployment(
        folder / "service", node_program, rust_toolchain, free_port(), CIRCUIT_PAUSE="1", CIRCUIT_FAILURES="5"
    )
    remove(State(folder / "prometheus").folder)  # what a killed run has left there
    with GatewaySeries() as gateway, service:
        jobs = targets(service.ports) | {"gateway": [f"{LOOPBACK}:{gateway.port}"]}
        server = PrometheusServer(
            prometheus_program, State(folder / "prometheus"), free_port(), jobs, INTERVAL
        )
        server.start()
        try:
            yield _observed(Api(server.url), service, gateway)
        finally:
            server.stop()
            remove(folder / "prometheus")


def _observed(api: Api, service: Deployment, gateway: GatewaySeries) -> Seen:
    load = Load(service)
    faults = Faults(service, load, lambda query: bool(api.query(query)))
    faults.stores()
    faults.runtime()
    service.runtimes["nodejs"].start()
    before = load.ledger
    first = load.round()
    gateway.round()
    start, _ = _scraped(api)

    measured = load.round()
    gateway.round()
    faults.stores()
    faults.runtime()
    until(lambda: bool(api.query("lambda_sessions_active > 0")), "sessions are counted", timeout=60)
    _, end = _scraped(api)
    return Seen(api, start, end, measured, before + first + measured, _starts(service, start))


def _scraped(api: Api) -> tuple[float, float]:
    """Two moments between which every target was scraped, and after it the rules were looked at."""
    now = time.time()
    until(lambda: min(api.query("timestamp(up)").values()) > now, "everything is scraped")
    scraped = time.time()
    until(lambda: _last_evaluation(api) > scraped, "the rules are evaluated")
    return now, time.time()


def _last_evaluation(api: Api) -> float:
    return min(
        api.query("min by (rule_group) (prometheus_rule_group_last_evaluation_timestamp_seconds)").values()
    )


def _starts(service: Deployment, since: float) -> Counter[tuple[str, ...]]:
    opened = psycopg2.connect(service.postgres.url)
    try:
        with opened.cursor() as cursor:
            cursor.execute(STARTS, [since])
            return Counter({(language, start): number for language, start, number in cursor.fetchall()})
    finally:
        opened.close()


def queries(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Titles of panels, and what they ask of Prometheus."""
    for panel in document["panels"]:
        for target in panel.get("targets", ()):
            if "expr" in target:
                yield panel["title"], target["expr"]


ASKED = [
    pytest.param(uid, title, expression, id=f"{uid}: {title}")
    for uid, document in DOCUMENTS.items()
    for title, expression in queries(document)
]


def test_every_panel_is_expected_to_show_something() -> None:
    asked = {(uid, title) for uid, title, _ in (parameters.values for parameters in ASKED)}

    assert asked == {(uid, title) for uid, checks in PANELS.items() for title in checks}


@pytest.mark.parametrize(("uid", "title", "expression"), ASKED)
def test_a_panel_shows_what_the_load_did(seen: Seen, uid: str, title: str, expression: str) -> None:
    assert seen.course(expression), "No data"
    PANELS[uid][title](expression, seen)
