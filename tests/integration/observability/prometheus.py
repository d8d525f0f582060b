"""A real Prometheus: its HTTP API, and what Grafana makes of a dashboard's queries before it sends them."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import requests

#: Values by their labels' values, in the order of the labels' names.
Vector = dict[tuple[str, ...], float]


class Api:
    """Asks the Prometheus at `url`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = requests.Session()
        self._http.trust_env = False

    def query(self, expression: str, at: float | None = None) -> Vector:
        """An instant's values; those that are no number are left out."""
        parameters: dict[str, Any] = {"query": expression} | ({} if at is None else {"time": at})
        found = self.get("query", **parameters)["result"]
        values = {_key(each["metric"]): float(each["value"][1]) for each in found}
        return {key: value for key, value in values.items() if not math.isnan(value)}

    def course(self, expression: str, start: float, end: float) -> dict[tuple[str, ...], list[float]]:
        """A range's values, a second apart."""
        found = self.get("query_range", query=expression, start=start, end=end, step=1)["result"]
        courses = {
            _key(each["metric"]): [float(value) for _, value in each["values"] if value != "NaN"]
            for each in found
        }
        return {key: values for key, values in courses.items() if values}

    def values(self, query: str) -> set[str]:
        """Of a variable: what Grafana asks for `label_values(metric, label)`."""
        metric, _, label = query.removeprefix("label_values(").removesuffix(")").partition(", ")
        found: list[str] = self.get(f"label/{label}/values", **{"match[]": metric})
        return set(found)

    def get(self, path: str, **parameters: Any) -> Any:
        """The data of an answer; one that is no success fails with Prometheus' own words."""
        answer = self._http.get(f"{self._url}/api/v1/{path}", params=parameters, timeout=60).json()
        assert answer["status"] == "success", answer
        return answer["data"]


def _key(labels: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(labels[name] for name in sorted(labels) if name != "__name__")


#: Of a variable that has an `allValue`.
ALL = ".*"


def promql(expression: str, milliseconds: int, choices: Mapping[str, str]) -> str:
    """The expression with its intervals so long, and the choices, each a regular expression."""
    filled = expression.replace("$__rate_interval", f"{milliseconds}ms")
    for name, value in choices.items():
        filled = re.sub(rf"\${name}\b", value, filled)
    assert "$" not in filled, filled
    return filled


def sql(statement: str, start: float, end: float, step: int, choices: Mapping[str, Sequence[str]]) -> str:
    """The statement for the time from `start` to `end`, in steps of so many seconds."""
    filled = re.sub(
        r"\$__timeFilter\((\w+)\)",
        rf"\1 BETWEEN to_timestamp({start}) AND to_timestamp({end})",
        statement,
    )
    filled = re.sub(
        r"\$__timeGroup\((\w+), \$__interval\)",
        rf"floor(extract(epoch from \1) / {step}) * {step}",
        filled,
    )
    for name, values in choices.items():
        quoted = ", ".join("'{}'".format(value.replace("'", "''")) for value in values)
        filled = filled.replace(f"${{{name}:sqlstring}}", quoted)
    assert "$" not in filled, filled
    return filled
