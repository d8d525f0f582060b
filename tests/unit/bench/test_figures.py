"""Figures: what clients saw, what was counted, the stage that was at work, and the table of all."""

import sys
from collections.abc import Callable
from typing import Any

import pytest

from bench.measurement import cpu_per_request, of_load
from bench.measurement import ratios as to_references
from bench.stages.run import PROCESSES
from bench.stages.run import table as stage_table
from bench.stages.stage import NAMES, OTHER, of_function, stage
from bench.table import table
from bench.wrk import Load, Tally, quantile


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1.0), (0.5, 51.0), (0.95, 96.0), (0.99, 100.0), (1.0, 100.0)]
)
def test_a_quantile_is_one_of_the_values(share: float, expected: float) -> None:
    assert quantile([float(n) for n in range(1, 101)], share) == expected


def test_of_nothing_there_is_no_quantile() -> None:
    assert quantile([], 0.5) == 0.0


def test_a_tally_counts_every_request_and_times_the_good_ones() -> None:
    tally = Tally(took=[3.0, 1.0, 2.0], refused=4, wrong=5, broken=6)

    load = tally.load(2.0, extra=7.0)

    assert (load.requests, load.seconds) == (18, 2.0)
    assert (load.refused, load.wrong, load.broken) == (4, 5, 6)
    assert (load.p50, load.p95, load.p99) == (2.0, 3.0, 3.0)
    assert load.more == {"extra": 7.0}


def test_cpu_is_told_by_the_request() -> None:
    assert cpu_per_request({"controller": 0.15, "redis": 0.05}, 1000) == {
        "cpu controller": 150.0,
        "cpu redis": 50.0,
        "cpu all": 200.0,
    }


def test_throughput_is_compared_to_each_reference() -> None:
    references = {"yardstick-watchdog": {"rps": 100.0}, "constant": {"rps": 50.0}}

    assert to_references({"rps": 300.0}, references) == {"x yardstick": 3.0, "x constant": 6.0}


def test_all_errors_are_added_up_and_a_scenario_may_tell_more() -> None:
    load = Load(100, 2.0, 1, 2, 3, 5.0, 10.0, 20.0, {"slowest share": 0.7, "cpu load": 9.0})

    figures = of_load(load)

    assert figures["rps"] == 50.0
    assert figures["errors"] == 6
    assert figures["p99 / p50"] == 4.0
    assert (figures["slowest share"], figures["cpu load"]) == (0.7, 9.0)


def test_where_nothing_was_answered_there_is_no_ratio_of_latencies() -> None:
    assert "p99 / p50" not in of_load(Load(0, 1.0, 0, 0, 0, 0.0, 0.0, 0.0))


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        ("http_connection:Connection.serve", "HTTP: read, send"),
        ("http_request:RequestReader.feed", "HTTP: parse"),
        ("controller.cache.keys:ResultKeys.of", "Redis: ask, wait"),
        ("controller.request_log.logger:DatabaseLogger.flush", "request log"),
        ("controller.database.postgres:Postgres.query", "request log"),
        ("controller.execution.workflow:WorkflowManager.execute", "execution"),
        ("controller.call:Call.end", "call record"),
        ("runtime.pool.pool:Pool.lease", "pool"),
        ("json.encoder:JSONEncoder.encode", None),
    ],
)
def test_a_function_has_its_stage(function: str, wanted: str | None) -> None:
    assert of_function(function) == wanted


def test_library_code_works_for_whoever_called_it() -> None:
    seen: list[str] = []

    def see(_: object) -> str:
        seen.append(stage(sys._getframe()))
        return ""

    _within("controller.observability.masking", see)
    _within("json.encoder", see)
    assert seen == ["metrics, lines, spans", OTHER]


def _within(module: str, work: Callable[[object], str]) -> None:
    """Have the work called by a function of that module."""
    space: dict[str, Any] = {"__name__": module}
    exec("def caller(work):\n    work(None)", space)
    space["caller"](work)


def test_the_table_adds_up_and_leaves_out_what_took_nothing() -> None:
    token, other = f"controller: {NAMES[0]}", f"controller: {OTHER}"
    figures = {"cpu controller": [6.0, 6.0, 9.0], token: [0.5, 0.5, 1.0], other: [0.5, 0.5, 0.0]}
    idle = {f"cpu {process}": [0.0] for process in PROCESSES if process != "controller"}
    found = stage_table({"cached": {**figures, **idle, "cpu redis": [20.0]}})

    assert found["all"] == [26.0]
    assert {title.strip(): values for title, values in found.items()} == {
        "controller": [6.0],
        token: [3.0],
        other: [3.0],
        "Redis": [20.0],
        "all": [26.0],
    }


FIGURES = {
    "rps": [100.0, 300.0, 200.0],
    "p50": [1.5],
    "errors": [0.0],
    "cpu controller": [150.4],
    "x yardstick": [6.25],
}


def test_a_row_has_the_medians_below_their_heads() -> None:
    lines = list(table([("cached", "execute, cached", FIGURES)]))
    heads = next(line for line in lines if line.startswith("scenario"))
    row = next(line for line in lines if line.startswith("cached"))

    def below(head: str, width: int) -> str:
        end = heads.index(head) + len(head)
        return row[end - width : end].strip()

    assert below("rps", 8) == "200"
    assert below("p50", 8) == "1.50"
    assert below("x yard", 7) == "6.25"
    assert row.endswith("execute, cached")
