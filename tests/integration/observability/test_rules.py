"""The rules and configurations, by Prometheus' own promtool."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from deploy.grafana.source import limits
from local.fetch.debian_program import DebianProgram
from local.stores.prometheus import DEPLOYED
from tests.integration.observability.cases import CASES, Series
from tests.integration.observability.runbook import anchors

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
