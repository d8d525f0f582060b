"""Every query of every panel and rule, sent to a real Prometheus and a real PostgreSQL after load of every kind."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yaml
from psycopg2.extras import RealDictCursor

from deploy.grafana.source.documents import dashboards
from local.fetch.debian_program import DebianProgram
from local.monitoring import DEPLOYED, PrometheusServer, targets
from local.state import State
from local.supervisor.account import remove
from local.supervisor.ports import LOOPBACK, free_port
from tests.acceptance.deployment import Deployment
from tests.conftest import ROOT
from tests.integration.observability.expected_log import LOG
from tests.integration.observability.expected_panels import PANELS
from tests.integration.observability.expected_rules import ACTIVE, LOOKED_AT, RECORDED, SILENT
from tests.integration.observability.load import PACKAGES
from tests.integration.observability.observation import GatewaySeries, observed
from tests.integration.observability.prometheus import Api, sql
from tests.integration.observability.seen import Seen
from tests.integration.runtime.installer.registry import served, wheel

#: Seconds between two scrapes.
INTERVAL = 1
#: Seconds of a step of the panels that ask the log.
STEP = 5
DOCUMENTS = {document["uid"]: document for document in dashboards().values()}
RULES = [
    rule
    for path in sorted(DEPLOYED.glob("rules/*.yml"))
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
]
RECORDINGS = {rule["record"]: rule["expr"] for rule in RULES if "record" in rule}
ALERTS = {rule["alert"]: rule["expr"] for rule in RULES if "alert" in rule}
LIMIT = re.compile(r" [<>] [\d.]+$")
ROW = re.compile(r"^\| `(\w+)` \| \w+ \| ([\w, ]*)\|", re.MULTILINE)
#: What a metric's series are called besides its name, and what Prometheus adds to its own.
SUFFIX = re.compile(r"_(bucket|sum|count|created)$")
ADDED = {"__name__", "job", "instance", "le"}
#: Prometheus' own, and those of the client library about the process.
OTHERS = re.compile(r"up|scrape_\w+|ALERTS\w*|(?:process|python)_\w+")


@pytest.fixture(scope="module")
def seen(
    prometheus_program: DebianProgram,
    node_program: str,
    rust_toolchain: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Seen]:
    folder = tmp_path_factory.mktemp("observed")
    remove(State(folder / "prometheus").folder)  # what a killed run has left there
    with served() as registry, GatewaySeries() as gateway:
        for name in PACKAGES:
            registry.add_wheel(name, "1.0.0", wheel(name, "1.0.0", {f"{name}/__init__.py": b"VERSION = 1"}))
        service = Deployment(
            folder / "service",
            node_program,
            rust_toolchain,
            free_port(),
            packages={"PACKAGES_INDEX_URL": f"{registry.url}/simple"},
            CIRCUIT_PAUSE="1",
            CIRCUIT_FAILURES="5",
        )
        jobs = targets(service.ports) | {"gateway": [f"{LOOPBACK}:{gateway.port}"]}
        state = State(folder / "prometheus")
        server = PrometheusServer(prometheus_program, state, free_port(), jobs, INTERVAL)
        try:
            server.launch()
            with service:
                server.await_answer()
                yield observed(Api(server.url), service, gateway)
        finally:
            server.stop()
            remove(folder / "prometheus")


def asked(field: str) -> list[tuple[str, str, str]]:
    """Dashboards, titles of panels, and what they ask: `expr` of Prometheus, `rawSql` of the log."""
    return [
        (uid, panel["title"], target[field])
        for uid, document in DOCUMENTS.items()
        for panel in document["panels"]
        for target in panel.get("targets", ())
        if field in target
    ]


def rows(seen: Seen, statement: str, choices: dict[str, list[str]]) -> list[dict[str, Any]]:
    """What the log answers Grafana's account."""
    opened = psycopg2.connect(seen.log, cursor_factory=RealDictCursor)
    try:
        with opened.cursor() as cursor:
            cursor.execute(sql(statement, seen.start, seen.end, STEP, choices))
            return [dict(row) for row in cursor.fetchall()]
    finally:
        opened.close()


def chosen(seen: Seen, document: dict[str, Any]) -> dict[str, list[str]]:
    """All values of each variable that asks the log; a later one may depend on an earlier one."""
    choices: dict[str, list[str]] = {}
    for variable in document["templating"]["list"]:
        if variable["datasource"]["uid"] == "request-log":
            found = rows(seen, variable["query"], choices)
            choices[variable["name"]] = [row[variable["name"]] for row in found]
    return choices


def test_every_panel_and_rule_is_expected_to_show_something() -> None:
    assert {(uid, title) for uid, title, _ in asked("expr")} == {
        (uid, title) for uid, checks in PANELS.items() for title in checks
    }
    assert {title for _, title, _ in asked("rawSql")} == LOG.keys()
    assert RECORDINGS.keys() == RECORDED.keys()
    direct = {name for name, expression in ALERTS.items() if LIMIT.sub("", expression) not in RECORDINGS}
    assert direct == LOOKED_AT.keys()


@pytest.mark.parametrize(("uid", "title", "expression"), asked("expr"))
def test_a_panel_shows_what_the_load_did(seen: Seen, uid: str, title: str, expression: str) -> None:
    assert seen.course(expression), "No data"
    PANELS[uid][title](expression, seen)


@pytest.mark.parametrize(("uid", "title", "statement"), asked("rawSql"))
def test_a_panel_shows_what_the_log_holds(seen: Seen, uid: str, title: str, statement: str) -> None:
    LOG[title](rows(seen, statement, chosen(seen, DOCUMENTS[uid])), seen)


@pytest.mark.parametrize("record", RECORDINGS)
def test_a_rule_records_what_the_load_did(seen: Seen, record: str) -> None:
    """Its query tells of the round, and what was recorded with its own windows is what the query says."""
    RECORDED[record](over_the_round(RECORDINGS[record]), seen)
    recorded, asked_now = (seen.api.query(each, seen.end) for each in (record, RECORDINGS[record]))
    assert recorded == pytest.approx(asked_now, rel=0.2, abs=0.05)


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_has_something_to_look_at(seen: Seen, alert: str) -> None:
    left = LIMIT.sub("", ALERTS[alert])
    assert seen.api.query(left, seen.end)
    if alert in LOOKED_AT:
        LOOKED_AT[alert](over_the_round(left), seen)


def test_alerts_are_active_for_what_the_load_broke_and_say_so(seen: Seen) -> None:
    alerts = seen.api.get("alerts")["alerts"]
    told = " ".join(text for alert in alerts for text in alert["annotations"].values())
    active = {alert["labels"]["alertname"] for alert in alerts}

    assert active >= ACTIVE
    assert not active & SILENT
    assert "{{" not in told and "error" not in told.split("docs/")[0], told


def test_variables_have_the_values_of_the_load(seen: Seen) -> None:
    queries = {
        variable["name"]: variable["query"]
        for document in DOCUMENTS.values()
        for variable in document["templating"]["list"]
        if variable["datasource"]["uid"] == "prometheus"
    }
    assert {name: seen.api.values(query) for name, query in queries.items()} == {
        "namespace": set(),
        "language": {language for (language,) in seen.ledger.by(1)},
        "endpoint": {endpoint for (endpoint,) in seen.ledger.by(0)},
    }
    languages = chosen(seen, DOCUMENTS["lambda-function"])["language"]
    assert set(languages) == {"nodejs", "python", "rust"}


def test_series_have_the_labels_that_the_page_says_and_each_is_on_a_dashboard(seen: Seen) -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    documented = {name: set(labels.replace(",", " ").split()) for name, labels in ROW.findall(page)}
    scraped = seen.api.get("series", **{"match[]": '{job=~"controller|runtime|packages"}'})
    found: dict[str, set[str]] = {}
    for labels in scraped:
        if not OTHERS.fullmatch(labels["__name__"]):
            found.setdefault(_metric(labels["__name__"], documented), set()).update(labels)
    shown = " ".join(expression for _, _, expression in asked("expr"))

    assert {name: labels - ADDED for name, labels in found.items()} == documented
    assert [name for name in documented if name not in shown] == []


def over_the_round(expression: str) -> str:
    """The query of a rule with the round in the place of its own windows."""
    return re.sub(r"\[\d+m\]", "[$__rate_interval]", expression)


def _metric(series: str, documented: dict[str, set[str]]) -> str:
    """The metric that a series belongs to."""
    name = SUFFIX.sub("", series)
    return f"{name}_total" if f"{name}_total" in documented else name
