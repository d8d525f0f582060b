"""Samples are counted for the stage that is at work."""

import sys
from collections.abc import Callable
from typing import Any

import pytest

from bench.stages.run import PROCESSES, table
from bench.stages.stage import NAMES, OTHER, of_function, stage


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
    found = table({"cached": {**figures, **idle, "cpu redis": [20.0]}})

    assert found["all"] == [26.0]
    assert {title.strip(): values for title, values in found.items()} == {
        "controller": [6.0],
        token: [3.0],
        other: [3.0],
        "Redis": [20.0],
        "all": [26.0],
    }
