"""Panels, and a dashboard of them: its document as Grafana reads it."""

import json
from collections.abc import Sequence
from typing import Any, TypeVar

from grafana_foundation_sdk.builders.common import GraphThresholdsStyleConfig, ReduceDataOptions
from grafana_foundation_sdk.builders.dashboard import (
    Dashboard,
    DashboardLink,
    QueryVariable,
    Row,
    ThresholdsConfig,
)
from grafana_foundation_sdk.builders.heatmap import Panel as HeatmapPanel
from grafana_foundation_sdk.builders.heatmap import YAxisConfig
from grafana_foundation_sdk.builders.stat import Panel as StatPanel
from grafana_foundation_sdk.builders.table import Panel as TablePanel
from grafana_foundation_sdk.builders.timeseries import Panel as SeriesPanel
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import GraphThresholdsStyleMode
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from deploy.grafana.source.queries import PROMETHEUS, Query

Panel = HeatmapPanel | StatPanel | TablePanel | SeriesPanel
P = TypeVar("P", HeatmapPanel, StatPanel, TablePanel, SeriesPanel)

#: What a panel says instead of "No data": its counters begin with the first of what they count.
NOTHING = "none so far"
#: The grid has 24 columns.
QUARTER, THIRD, HALF, WHOLE = 6, 8, 12, 24
STAT_ROWS, CHART_ROWS = 4, 8


def stat(
    title: str,
    *queries: Query,
    unit: str,
    red: str,
    limit: float | None = None,
    least: float | None = None,
    span: int = QUARTER,
) -> StatPanel:
    """One figure: the newest.

    Args:
        unit: Grafana's name of it.
        red: what to do when it is red, or odd where it has no limit.
        limit: red from there on.
        least: red below.
        span: columns.
    """
    panel = _described(StatPanel(), title, queries, unit, red).height(STAT_ROWS).span(span)
    panel = panel.thresholds(_thresholds(limit, least))
    return panel.reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))


def series(
    title: str, *queries: Query, unit: str, red: str, limit: float | None = None, span: int = HALF
) -> SeriesPanel:
    """Figures over time; a line shows the limit."""
    panel = _described(SeriesPanel(), title, queries, unit, red).height(CHART_ROWS).span(span)
    panel = panel.min(0).fill_opacity(10).thresholds(_thresholds(limit, None))
    if limit is None:
        return panel
    return panel.thresholds_style(GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED))


def heatmap(title: str, query: Query, *, unit: str, red: str, span: int = HALF) -> HeatmapPanel:
    """How many observations fell into each bucket of a histogram, over time."""
    panel = _described(HeatmapPanel(), title, (query,), unit, red).height(CHART_ROWS).span(span)
    return panel.y_axis(YAxisConfig().unit(unit))


def table(title: str, query: Query, *, unit: str, red: str, span: int = WHOLE) -> TablePanel:
    """Rows."""
    return _described(TablePanel(), title, (query,), unit, red).height(CHART_ROWS).span(span)


def _described(panel: P, title: str, queries: tuple[Query, ...], unit: str, red: str) -> P:
    panel = panel.title(title).description(red).unit(unit).no_value(NOTHING).datasource(queries[0].source)
    for ref_id, query in zip("ABCDEF", queries, strict=False):
        panel = panel.with_target(query.target(ref_id))
    return panel


def _thresholds(limit: float | None, least: float | None) -> ThresholdsConfig:
    steps = [Threshold(None, "green")]
    if limit is not None:
        steps.append(Threshold(limit, "red"))
    if least is not None:
        steps = [Threshold(None, "red"), Threshold(least, "green")]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


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
