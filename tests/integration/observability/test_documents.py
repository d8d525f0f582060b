"""Dashboards, rules and configurations: current, complete, and taken by Prometheus' own promtool.

Debian's Prometheus is built without its client of Kubernetes: pods are given to it as that client describes them.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.grafana.source import limits
from deploy.grafana.source.documents import dashboards, text
from local.fetch.debian_program import DebianProgram
from local.monitoring import DEPLOYED
from tests.conftest import ROOT
from tests.integration.observability.cases import CASES, Series

LINK = re.compile(r"docs/operations\.md#([\w-]+)")


def anchors() -> set[str]:
    """Of the page's headings, as Git's hosts make them."""
    page = (ROOT / "docs" / "operations.md").read_text()
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


GRAFANA = ROOT / "deploy" / "grafana"
DOCUMENTS = dashboards()
PANELS = [
    pytest.param(panel, id=f"{document['uid']}: {panel['title']}")
    for document in DOCUMENTS.values()
    for panel in document["panels"]
    if panel["type"] != "row"
]
USED = re.compile(r"\$\{?(\w+)")


def test_the_files_are_what_the_builders_make() -> None:
    files = {path.name: path.read_text() for path in (GRAFANA / "dashboards").iterdir()}

    assert files == {name: text(document) for name, document in DOCUMENTS.items()}, "make grafana"


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows_in_what_and_what_to_do(panel: dict[str, Any]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    limited = len(defaults["thresholds"]["steps"]) > 1 if "thresholds" in defaults else False
    anchors_named = LINK.findall(panel["description"])

    assert panel["title"] and defaults["unit"]
    assert set(anchors_named) <= anchors()
    assert anchors_named or not limited, "red without a place to read on"
    assert limited or "Has no limit" in panel["description"] or panel["type"] == "table"
    assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_titles_are_unique_and_variables_are_used(document: dict[str, Any]) -> None:
    titles = [panel["title"] for panel in document["panels"]]
    defined = {variable["name"] for variable in document["templating"]["list"]}
    used = {
        name
        for panel in document["panels"]
        for target in panel.get("targets", ())
        for name in USED.findall(target.get("expr") or target["rawSql"])
        if not name.startswith("__")
    }

    assert len(titles) == len(set(titles))
    assert used == defined


def test_grafana_is_given_the_sources_and_the_folder_that_dashboards_name() -> None:
    provisioned = GRAFANA / "provisioning"
    sources = {
        (source["type"], source["uid"])
        for path in (provisioned / "datasources").iterdir()
        for source in yaml.safe_load(path.read_text())["datasources"]
    }
    named = {(panel["datasource"]["type"], panel["datasource"]["uid"]) for (panel,) in map(_values, PANELS)}
    providers = yaml.safe_load((provisioned / "dashboards" / "dashboards.yml").read_text())["providers"]

    assert named == sources
    assert [provider["type"] for provider in providers] == ["file"]


def _values(parameters: Any) -> tuple[dict[str, Any], ...]:
    values: tuple[dict[str, Any], ...] = parameters.values
    return values


def test_documents_are_json_that_loads() -> None:
    for name in DOCUMENTS:
        document = json.loads((GRAFANA / "dashboards" / name).read_text())
        assert document["uid"] == name.removesuffix(".json")


RULES = sorted(DEPLOYED.glob("rules/*.yml"))
FIRING = 'ALERTS{alertstate="firing"}'
LAST = 29
#: What the dashboards show as red, the alerts tell.
LIMITS = {
    "LambdaErrorRateHigh": limits.ERROR_RATIO,
    "LambdaFaultRateHigh": limits.ERROR_RATIO,
    "LambdaControllerLatencyHigh": limits.CONTROLLER_SECONDS,
    "LambdaRuntimeLatencyHigh": limits.RUN_SECONDS,
    "LambdaRuntimeQueueLong": limits.QUEUE_SECONDS,
    "LambdaRedisLatencyHigh": limits.REDIS_SECONDS,
    "LambdaPostgresLatencyHigh": limits.POSTGRES_SECONDS,
    "LambdaWorkersKilled": limits.KILL_RATIO,
    "LambdaSessionCleanUpStalled": limits.CHORE_SECONDS,
}


def alerts() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(DEPLOYED.joinpath("rules", "alerts.yml").read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def run(promtool: DebianProgram, *arguments: str | Path) -> str:
    done = subprocess.run(
        [promtool.path, *arguments], env=promtool.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def fires(name: str, series: Series, alert: str | None, minute: int) -> dict[str, Any]:
    """A test of promtool's: at that minute that alert fires and no other, or none."""
    query = f"count by (alertname) ({FIRING})"
    samples = [] if alert is None else [{"labels": f'{{alertname="{alert}"}}', "value": 1}]
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": series_name, "values": values} for series_name, values in series.items()],
        "promql_expr_test": [{"expr": query, "eval_time": f"{minute}m", "exp_samples": samples}],
    }


def cases() -> Iterator[dict[str, Any]]:
    """Each alert fires for what it is meant for, not before its time, and not for what is like it."""
    for alert, case in CASES.items():
        yield fires(f"{alert} fires", case.sick, alert, LAST)
        yield fires(f"{alert} is silent", case.well, None, LAST)
        if case.held:
            yield fires(f"{alert} waits", case.sick, None, case.held - 1)
    never = {'lambda_build_info{component="controller"}': "1+0x30"}
    yield fires("a clean-up that never was is stalled", never, "LambdaSessionCleanUpStalled", LAST)


def test_promtool_accepts_configuration_and_rules(promtool: DebianProgram) -> None:
    run(promtool, "check", "config", DEPLOYED / "prometheus.yml")


def test_every_alert_has_its_case() -> None:
    assert CASES.keys() == alerts().keys()


def test_each_alert_fires_in_its_time_and_is_silent_otherwise(
    promtool: DebianProgram, tmp_path: Path
) -> None:
    document = {"rule_files": [str(path) for path in RULES], "tests": list(cases())}
    file = tmp_path / "test.yml"
    file.write_text(json.dumps(document))

    run(promtool, "test", "rules", file)


def test_alerts_say_how_bad_it_is_what_it_is_and_where_to_read_on() -> None:
    known = anchors()
    for name, rule in alerts().items():
        assert rule["labels"]["severity"] in {"warning", "critical"}, name
        assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}, name
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert (page, anchor in known) == ("docs/operations.md", True), name


def test_the_dashboards_know_the_same_limits() -> None:
    told = {name: float(re.findall(r"> ([\d.]+)$", alerts()[name]["expr"])[0]) for name in LIMITS}

    assert told == LIMITS


def test_rules_are_named_level_metric_operation() -> None:
    groups = yaml.safe_load(DEPLOYED.joinpath("rules", "recording.yml").read_text())["groups"]
    names = [rule["record"] for group in groups for rule in group["rules"]]

    assert [name for name in names if name.count(":") != 2] == []


META = "__meta_kubernetes_"


def pod(name: str, **labels: str) -> dict[str, str]:
    """A pod as the client describes it."""
    found = {"namespace": "openfaas-fn", "pod_name": name, "pod_ip": "10.0.0.7"} | labels
    return {META + label: value for label, value in found.items()}


def scraped(promtool: DebianProgram, job: str, found: dict[str, str], folder: Path) -> dict[str, str]:
    """The labels that the pod's series would have; none where it is left out."""
    document = yaml.safe_load(DEPLOYED.joinpath("kubernetes.yml").read_text())
    for each in document["scrape_configs"]:
        del each["kubernetes_sd_configs"]
        each["static_configs"] = [{"targets": ["10.0.0.7:8080"], "labels": found}]
    del document["rule_files"]
    file = folder / "prometheus.yml"
    file.write_text(json.dumps(document))
    command = [str(promtool.path), "check", "service-discovery", "--timeout=1s", str(file), job]
    done = subprocess.run(command, env=promtool.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (target,) = json.loads(done.stdout)
    labels: dict[str, str] | None = target["labels"]
    return labels or {}


def function(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "stack.yml").read_text())
    described: dict[str, Any] = document["functions"][name]
    return described


@pytest.mark.parametrize(("name", "job"), [("execute", "controller"), ("runtime-rust", "runtime")])
def test_a_function_is_found_by_what_stack_yml_says_of_it(
    promtool: DebianProgram, name: str, job: str, tmp_path: Path
) -> None:
    described = function(name)
    annotations = {
        "pod_annotation_" + key.replace(".", "_").replace("/", "_"): value
        for key, value in described["annotations"].items()
    }
    component = described["labels"]["app.kubernetes.io/component"]
    found = pod(f"{name}-x", pod_label_app_kubernetes_io_component=component, **annotations)

    labels = scraped(promtool, "functions", found, tmp_path)

    wanted = {"job": job, "namespace": "openfaas-fn", "pod": f"{name}-x", "__address__": "10.0.0.7:9090"}
    assert {label: labels[label] for label in wanted} == wanted


def test_what_does_not_ask_for_it_is_not_scraped(promtool: DebianProgram, tmp_path: Path) -> None:
    assert scraped(promtool, "functions", pod("other"), tmp_path) == {}


def test_the_gateway_is_scraped_at_its_port_for_metrics(promtool: DebianProgram, tmp_path: Path) -> None:
    labels = scraped(promtool, "gateway", pod("gateway-x"), tmp_path)

    assert (labels["job"], labels["__address__"]) == ("gateway", "10.0.0.7:8082")


def test_only_pods_of_this_project_are_asked_for() -> None:
    document = yaml.safe_load(DEPLOYED.joinpath("kubernetes.yml").read_text())
    (functions, _) = document["scrape_configs"]
    label, _, value = functions["kubernetes_sd_configs"][0]["selectors"][0]["label"].partition("=")

    assert function("execute")["labels"][label] == function("runtime-python")["labels"][label] == value
