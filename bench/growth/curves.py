"""Curves as `bench.report` draws them: one plot for each axis."""

from collections.abc import Mapping
from typing import Any

#: Beside the name of what is drawn.
Y_LABEL = "cost, times that of the smallest"


def drawn(growth: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The plots of all series, each relative to its own beginning: what is to be seen is the form."""
    plots: dict[str, dict[str, Any]] = {}
    for one in growth.values():
        plot = plots.setdefault(
            one["axis"],
            {"name": one["axis"], "title": one["size"], "x": one["size"], "y": Y_LABEL, "series": {}},
        )
        first = one["costs"][0] or 1.0
        # A logarithmic axis has no place for none.
        sizes = (max(size, 1) for size in one["sizes"])
        plot["series"][one["title"]] = [
            (size, round(cost / first, 3)) for size, cost in zip(sizes, one["costs"], strict=True)
        ]
    return list(plots.values())
