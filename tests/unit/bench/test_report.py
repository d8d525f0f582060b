"""The page with the plots."""

from collections.abc import Callable
from functools import partial
from typing import Any
from xml.etree import ElementTree

import pytest

from bench.plots import bars, curves, spans
from bench.report import page

ROWS = {"one & two": {"p50": 1.0, "p99": 20.0}, "three": {"p50": 2.0}}
SERIES = {"cached": [(1.0, 200.0), (1000.0, 205.0)], "warm": [(1.0, 500.0), (1000.0, 510.0)]}


def run(date: str, commit: str, controller: float) -> dict[str, Any]:
    """What `make bench` would have written."""
    figures = {
        "rps": [900.0],
        "p50": [1.0],
        "p95": [2.0],
        "p99": [3.0],
        "errors": [0.0],
        "x yardstick": [7.0],
    }
    costs = {"cpu controller": [controller], "cpu all": [controller + 50], "pss controller": [38.0]}
    return {
        "machine": {"date": date, "commit": commit, "cpu": "A <CPU>", "versions": {"gevent": "1"}},
        "scenarios": {"cached": {"title": "execute, cached", "runs": figures | costs}},
    }


def test_the_newest_run_is_shown_with_its_targets() -> None:
    shown = page([run("2026-11-23", "newer", 120.0), run("2026-11-22", "older", 900.0)])

    assert "A &lt;CPU&gt;" in shown
    assert "reached  cached: cpu controller &lt;= 150: 120" in shown
    assert "commit newer" in shown
    assert "From run to run" in shown
    assert "2026-11-22 older" in shown


def test_one_run_has_no_history() -> None:
    assert "From run to run" not in page([run("2026-11-22", "only", 1.0)])


def test_growth_is_drawn() -> None:
    curve = {"title": "Over known sessions", "x": "sessions", "y": "us", "series": SERIES}

    shown = page([{"curves": [curve]}])

    assert "Growth" in shown
    assert "Over known sessions" in shown
    assert shown.count("<svg") == 1


def test_without_any_result_the_page_says_so() -> None:
    assert "Nothing was measured yet" in page([])


@pytest.mark.parametrize(
    "draw",
    [
        partial(bars, "A title", "us", ROWS),
        partial(spans, "A title", "us", ROWS),
        partial(curves, "A title", "sessions", "us", SERIES),
        partial(curves, "A title", "", "us", SERIES, logarithmic=False, ticks=["a", "b"]),
    ],
)
def test_a_drawing_is_svg_with_its_text_and_always_the_same(draw: Callable[[], str]) -> None:
    drawing = draw()

    assert drawing == draw()
    assert "A title" in "".join(ElementTree.fromstring(drawing).itertext())
