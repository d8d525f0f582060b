"""Kinds of panels. Each has a title that says what it shows, a unit, and a word for whoever sees it red."""

from typing import TypeVar

from grafana_foundation_sdk.builders.common import GraphThresholdsStyleConfig, ReduceDataOptions
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.builders.heatmap import Panel as HeatmapPanel
from grafana_foundation_sdk.builders.heatmap import YAxisConfig
from grafana_foundation_sdk.builders.stat import Panel as StatPanel
from grafana_foundation_sdk.builders.table import Panel as TablePanel
from grafana_foundation_sdk.builders.timeseries import Panel as SeriesPanel
from grafana_foundation_sdk.models.common import GraphThresholdsStyleMode
from grafana_foundation_sdk.models.dashboard import Threshold, ThresholdsMode

from deploy.grafana.source.queries import Query

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
