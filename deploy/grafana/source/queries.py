"""What panels ask: PromQL with the dashboards' variables in it, and SQL for the log of requests."""

from dataclasses import dataclass

from grafana_foundation_sdk.builders.prometheus import Dataquery as PrometheusQuery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.runtime import UnknownDataquery
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

#: Both are made by `deploy/grafana/provisioning/datasources`.
PROMETHEUS = DataSourceRef("prometheus", "prometheus")
REQUEST_LOG = DataSourceRef("grafana-postgresql-datasource", "request-log")


@dataclass(frozen=True)
class Prom:
    """One query of Prometheus.

    Args:
        legend: of each series, with `{{label}}` in it; empty: all labels.
        now: only the newest values, for a table.
        buckets: of a histogram, for a heat map.
    """

    expr: str
    legend: str = ""
    now: bool = False
    buckets: bool = False

    @property
    def source(self) -> DataSourceRef:
        return PROMETHEUS

    def target(self, ref_id: str) -> Builder[Dataquery]:
        query = PrometheusQuery().ref_id(ref_id).datasource(PROMETHEUS).expr(self.expr)
        query = query.legend_format(self.legend or "__auto")
        if self.now:
            return query.instant().format(PromQueryFormat.TABLE)
        return query.range().format(PromQueryFormat.HEATMAP if self.buckets else PromQueryFormat.TIME_SERIES)


@dataclass(frozen=True)
class Sql:
    """One query of the log of requests. A series has a column `time`, of seconds since 1970."""

    statement: str
    series: bool = False

    @property
    def source(self) -> DataSourceRef:
        return REQUEST_LOG

    def target(self, ref_id: str) -> Builder[Dataquery]:
        return _SqlTarget(self, ref_id)


Query = Prom | Sql


class _SqlTarget(Builder[Dataquery]):
    """The library has no builder for this data source."""

    def __init__(self, query: Sql, ref_id: str) -> None:
        self._query = query
        self._ref_id = ref_id

    def build(self) -> Dataquery:
        return UnknownDataquery(
            {
                "refId": self._ref_id,
                "datasource": REQUEST_LOG,
                "editorMode": "code",
                "format": "time_series" if self._query.series else "table",
                "rawQuery": True,
                "rawSql": self._query.statement,
            }
        )


def chosen(*labels: str) -> str:
    """A selector of the chosen namespaces, and of the labels: by the variable of that name, or by a whole matcher."""
    matchers = [label if "=" in label else f'{label}=~"${label}"' for label in ("namespace", *labels)]
    return "{" + ",".join(matchers) + "}"


def rate(metric: str, selector: str, by: str = "") -> str:
    """How often a second, added up by the labels `by`."""
    return f"{_sum(by)}(rate({metric}{selector}[$__rate_interval]))"


def quantile(share: float, metric: str, selector: str, by: str = "") -> str:
    """The value of a histogram that `share` of its observations stay below."""
    labels = f"le, {by}" if by else "le"
    buckets = f"rate({metric}_bucket{selector}[$__rate_interval])"
    return f"histogram_quantile({share}, sum by ({labels}) ({buckets}))"


def mean(metric: str, selector: str, by: str = "") -> str:
    """The mean of a histogram."""
    return f"{rate(f'{metric}_sum', selector, by)} / {rate(f'{metric}_count', selector, by)}"


def share(metric: str, part: str, whole: str, by: str = "") -> str:
    """Which share of what a counter has counted is `part`; both are selectors. 0 where there was none of it."""
    everything = rate(metric, whole, by)
    return f"({rate(metric, part, by)} or 0 * {everything}) / {everything}"


def _sum(by: str) -> str:
    return f"sum by ({by}) " if by else "sum"
