"""A dashboard of rows of panels, with the variables that its queries use."""

import json
from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.builders.dashboard import Dashboard, DashboardLink, QueryVariable, Row
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from deploy.grafana.source.panels import Panel
from deploy.grafana.source.queries import PROMETHEUS

TAG = "lambda-microservice"


def variable(
    name: str, label: str, query: str, source: DataSourceRef = PROMETHEUS, all_value: str | None = ".*"
) -> QueryVariable:
    """A choice of several values, all of them at first.

    Args:
        query: asks `source` for the values.
        all_value: what stands for all; matching anything, it finds series without the label as well. None: each
            value by name.
    """
    made = QueryVariable(name).label(label).datasource(source).query(query)
    made = made.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)
    made = made.multi(True).include_all(True).current(VariableOption(True, "All", "$__all"))
    return made if all_value is None else made.all_value(all_value)


NAMESPACE = variable("namespace", "Namespace", "label_values(lambda_build_info, namespace)")
LANGUAGE = variable("language", "Language", "label_values(lambda_requests_total, language)")
ENDPOINT = variable("endpoint", "Endpoint", "label_values(lambda_requests_total, endpoint)")


def dashboard(
    uid: str,
    title: str,
    description: str,
    variables: Sequence[QueryVariable],
    rows: dict[str, Sequence[Panel]],
) -> dict[str, Any]:
    """The document that Grafana reads."""
    made = Dashboard(title).uid(uid).description(description).tags([TAG]).readonly()
    made = made.time("now-1h", "now").refresh("30s").timezone("browser").annotations([])
    made = made.link(_siblings()).variables(list(variables))
    for heading, panels in rows.items():
        made = made.with_row(Row(heading))
        for panel in panels:
            made = made.with_panel(panel)
    document: dict[str, Any] = json.loads(JSONEncoder().encode(made.build()))
    for number, panel in enumerate(document["panels"], 1):
        panel["id"] = number
    return document


def _siblings() -> DashboardLink:
    """To the other dashboards, with the same choices."""
    link = DashboardLink("Others").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.as_dropdown(True).include_vars(True).keep_time(True)
