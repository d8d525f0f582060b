"""The page's tables are made of the figures, and its text is left alone."""

from collections.abc import Sequence

import pytest

from bench.growth.axes import AXES
from bench.growth.curves import drawn
from bench.growth.run import CONTROL, Curve
from bench.page import filled, growth, stages
from tests.conftest import ROOT

MACHINE = {"date": "2026-11-22T10:00:00+00:00", "commit": "abc", "cores": 2, "cpu": "EPYC"}
STAGES = {
    "machine": MACHINE,
    "loads": {
        "cached": [
            {"process": "controller", "stage": "names", "microseconds": 5.0},
            {"process": "controller", "stage": "other", "microseconds": 1.0},
            {"process": "redis", "stage": "", "microseconds": 20.0},
        ],
        "warm": [{"process": "front", "stage": "pool", "microseconds": 30.0}],
    },
}


def curve(costs: Sequence[float]) -> Curve:
    axis = next(axis for axis in AXES if axis.name == "log-rows")
    series = axis.series[0]
    figures = {series.judged: list(costs), "p50": [2.0] * len(costs), "errors": [0.0] * len(costs)}
    return Curve(axis, series, [0, 10, 100], {**figures, CONTROL: [10.0, 20.0, 20.0]})


def test_only_blocks_change() -> None:
    page = "before\n<!-- stages -->\nold\n<!-- end -->\nafter\n"
    assert filled(page, {"stages": "new"}) == page.replace("old", "new")
    with pytest.raises(KeyError):
        filled(page, {})


def test_the_committed_page_has_a_place_for_each_table() -> None:
    text = filled(ROOT.joinpath("docs/performance.md").read_text(), {"stages": "AAA", "growth": "BBB"})
    assert "AAA" in text
    assert "BBB" in text


def test_stages_add_up() -> None:
    rows = [line.split("|")[1:-1] for line in stages(STAGES).splitlines() if line.startswith("|")]
    table = {
        name.removeprefix(" &emsp;").strip(" *"): [cell.strip() for cell in cells] for name, *cells in rows
    }
    assert table["controller"] == ["6", ""]
    assert table["Redis"] == ["20", ""]
    assert table["all"] == ["26", "30"]


def test_a_curve_is_judged_in_units_of_the_control() -> None:
    steady, steep = curve([10, 20, 20]), curve([10, 20, 200])
    assert steady.costs == [1, 1, 1]
    assert (steady.reached, steep.reached) == (True, False)

    documents = {"steady": steady.document(), "steep": steep.document()}
    table = growth({"machine": MACHINE, "growth": documents, "curves": drawn(documents)}, "performance")
    assert "faster than logarithmic" in table
    assert "0, 10, 100" in table
    assert "performance/growth-log-rows.svg" in table


def test_a_plot_begins_at_one_and_has_a_place_for_none() -> None:
    (plot,) = drawn({"steep": curve([10, 20, 200]).document()})
    assert plot["series"] == {"execute, cached: one row more": [(1, 1.0), (10, 1.0), (100, 10.0)]}
