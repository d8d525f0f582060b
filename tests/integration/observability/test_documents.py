"""The dashboards' JSON: current, complete, and provisioned."""

import json
import re
from typing import Any

import pytest
import yaml

from deploy.grafana.source.documents import dashboards, text
from tests.conftest import ROOT
from tests.integration.observability.runbook import LINK, anchors

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
