"""Every axis at one small size, and the stages of both loads: the answers are right and the figures there.

Times are of no interest here.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.filling import LANGUAGE, Filling
from bench.growth import AXES, Axis
from bench.measurement import rounds
from bench.scenarios.requests import Execute
from bench.scenarios.scenario import Bench, Scale
from bench.service import Service
from bench.stages.run import LOADS, SAMPLED, sampled, table
from bench.stages.stage import NAMES, OTHER
from bench.wrk import Wrk

SMALL = Scale(seconds=1, clients=2, times=2)
#: In place of the second of the sizes, where that would take long.
SIZES = {"log-rows": 100}


@pytest.fixture(scope="module")
def filling(tmp_path_factory: pytest.TempPathFactory, load: Wrk) -> Iterator[Filling]:
    """One service for all axes, with workers that tell their stages."""
    runtime = {name: value for axis in AXES for name, value in axis.runtime.items()} | SAMPLED
    folder = tmp_path_factory.mktemp("growth")
    with Service(folder, [LANGUAGE], "", Path(), SAMPLED, runtime) as service:
        yield Filling(Bench(service, load, SMALL, print))


@pytest.mark.parametrize("axis", AXES, ids=[axis.name for axis in AXES])
def test_an_axis(filling: Filling, axis: Axis) -> None:
    size = SIZES.get(axis.name, axis.sizes[1])
    found = rounds(filling.bench, axis.prepare(filling, size), 1, {})

    for series in axis.series:
        figures = found[series.title]
        assert figures["errors"] == [0]
        assert figures["p50"][0] > 0
        assert set(series.judged) <= figures.keys()


def test_what_was_filled_in_is_there(filling: Filling) -> None:
    filling.have_sessions(150)
    connection = filling.service.connect()
    answer = connection.get(filling.paths[-1].replace("/execute/", "/sessions/"))
    connection.close()

    assert len(filling.paths) == 150
    assert json.loads(answer.body)["status"] == "active"


@pytest.mark.parametrize("scenario", LOADS, ids=[scenario.name for scenario in LOADS])
def test_stages(filling: Filling, scenario: Execute) -> None:
    run = sampled(filling.service, scenario.prepare(filling.bench))
    found = table(rounds(filling.bench, {scenario.name: run}, 1, {}))

    assert {"controller", "Redis", "PostgreSQL"} <= found.keys()
    # Which stages a short run is caught in is luck; that hardly any is unknown is not.
    stages = {name: found.get(f"    controller: {name}", [0.0])[0] for name in NAMES}
    assert stages[OTHER] < sum(stages.values()) / 2
