"""Every curve at one small size, and the stages of both loads: the answers are right and the figures there.

Times are of no interest here.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.growth.axes import AXES, Axis
from bench.growth.ground import LANGUAGE, Ground
from bench.growth.run import CONTROL, Curve, rounds, save, table
from bench.scenarios.requests import Execute
from bench.scenarios.scenario import Bench, Scale
from bench.service import USER, Service
from bench.stages.run import LOADS, SAMPLED, lines, measured
from bench.stages.stage import OTHER
from bench.wrk import Wrk
from local.fetch import wrk
from local.fetch.debian_packages import PackagesError
from tests.conftest import ROOT, missing

SMALL = Scale(seconds=1, clients=2, times=2)
#: In place of the second of the sizes, where that would take long.
SIZES = {"log-rows": 100}


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """One service for all curves, with workers that tell their stages."""
    try:
        load = Wrk(wrk.program(ROOT / ".local" / wrk.FOLDER))
    except PackagesError as reason:
        missing(f"wrk: {reason}")
    runtime = {name: value for axis in AXES for name, value in axis.runtime.items()} | SAMPLED
    folder = tmp_path_factory.mktemp("growth")
    with Service(folder, [LANGUAGE], "", Path(), SAMPLED, runtime) as service:
        yield Ground(Bench(service, load, SMALL, print), USER)


@pytest.mark.parametrize("axis", AXES, ids=[axis.name for axis in AXES])
def test_an_axis(ground: Ground, axis: Axis) -> None:
    found = rounds(ground.bench, axis.prepare(ground, SIZES.get(axis.name, axis.sizes[1])), runs=1)

    for series in axis.series:
        figures = found[series.name]
        assert figures["errors"] == [0]
        assert figures["p50"][0] > 0
        assert series.judged in figures


def test_what_was_filled_in_is_there(ground: Ground) -> None:
    ground.have_sessions(150)
    connection = ground.service.connect()
    answer = connection.get(ground.paths[-1].replace("/execute/", "/sessions/"))
    connection.close()

    assert len(ground.paths) == 150
    assert json.loads(answer.body)["status"] == "active"


@pytest.mark.parametrize("load", LOADS, ids=[load.name for load in LOADS])
def test_stages(ground: Ground, load: Execute) -> None:
    table_of_load = measured(ground.service, load.prepare(ground.bench))

    told = "\n".join(lines({load.name: table_of_load}))
    assert {"controller", "Redis", "PostgreSQL"} <= {line.split("  ")[0] for line in told.splitlines()}
    assert table_of_load["controller", "HTTP: read, send"] > 0
    assert table_of_load.get(("controller", OTHER), 0) < sum(table_of_load.values()) / 10


def test_curves_are_kept_beside_those_of_other_axes(tmp_path: Path) -> None:
    path = tmp_path / "growth.json"
    for axis in AXES[:2]:
        curves = [
            Curve(
                axis,
                series,
                [1, 100, 1000],
                {series.judged: [9.0, 9.0, 99.0], "p50": [1.0] * 3, "errors": [0.0] * 3, CONTROL: [1.0] * 3},
            )
            for series in axis.series
        ]
        save(path, curves)

    kept = json.loads(path.read_text())["growth"]
    assert list(kept) == [f"{axis.name}/{series.name}" for axis in AXES[:2] for series in axis.series]
    assert not any(curve["reached"] for curve in kept.values())
    assert "MISSED" in "\n".join(table(curves))
