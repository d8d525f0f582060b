"""Each command of the bench on very little: answers are right, and figures are there. Times are of no interest."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bench.command import git
from bench.compare import Work, compared
from bench.compare import table as compared_table
from bench.filling import LANGUAGE, Filling
from bench.growth import AXES, Axis
from bench.measurement import measure, rounds
from bench.scenarios import GROUPS, Group
from bench.scenarios.requests import Execute
from bench.scenarios.scenario import Bench, Scale
from bench.service import Service
from bench.stages.run import LOADS, SAMPLED, sampled
from bench.stages.run import table as stages_table
from bench.stages.stage import NAMES, OTHER
from bench.table import GATES, table
from bench.wrk import Wrk
from local.supervisor.managed_process import PartError
from tests.conftest import missing

SMALL = Scale(
    seconds=1,
    clients=4,
    times=2,
    compilations=1,
    sessions=4,
    compiled_sessions=2,
    connections=100,
    hold=1,
    rest=1,
)
#: What every scenario tells; memory and CPU of each part besides.
FIGURES = {"rps", "p50", "p95", "p99", "errors", "cpu all"}
PARTS = {"controller", "front", "workers", "redis", "postgres", "yardstick"}


class Measured:
    """Scenarios of some groups, each run once, after those that it refers to."""

    def __init__(self, service: Service, load: Wrk, groups: Sequence[Group]) -> None:
        self.bench = Bench(service, load, SMALL, print)
        self.scenarios = {each.name: each for group in groups for each in group.scenarios}
        self._results: dict[str, dict[str, list[float]]] = {}

    def figures(self, name: str) -> dict[str, list[float]]:
        if name not in self._results:
            for other in self.scenarios[name].references:
                self.figures(other)
            self._results |= measure(self.bench, [self.scenarios[name]], runs=1)
        return self._results[name]


@pytest.fixture(scope="module")
def measured(service: Service, load: Wrk) -> Measured:
    return Measured(service, load, GROUPS)


@pytest.mark.parametrize("name", [each.name for group in GROUPS for each in group.scenarios])
def test_a_scenario(measured: Measured, name: str) -> None:
    scenario = measured.scenarios[name]
    figures = measured.figures(scenario.name)
    wanted = FIGURES | {f"{kind} {part}" for kind in ("cpu", "pss", "peak") for part in PARTS}
    wanted |= {gate.figure for gate in GATES if gate.scenario == scenario.name}

    assert figures["errors"] == [0]
    assert wanted - figures.keys() == set()
    assert figures["rps"][0] > 0
    assert 0 < figures["p50"][0] <= figures["p95"][0] <= figures["p99"][0]
    assert scenario.name in "\n".join(table([(scenario.name, scenario.title, figures)]))


LITTLE = Scale(seconds=1, clients=2, times=2)
#: In place of the second of the sizes, where that would take long.
SIZES = {"log-rows": 100}


@pytest.fixture(scope="module")
def filling(tmp_path_factory: pytest.TempPathFactory, load: Wrk) -> Iterator[Filling]:
    """One service for all axes, with workers that tell their stages."""
    runtime = {name: value for axis in AXES for name, value in axis.runtime.items()} | SAMPLED
    folder = tmp_path_factory.mktemp("growth")
    with Service(folder, [LANGUAGE], "", Path(), SAMPLED, runtime) as started:
        yield Filling(Bench(started, load, LITTLE, print))


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
    found = stages_table(rounds(filling.bench, {scenario.name: run}, 1, {}))

    assert {"controller", "Redis", "PostgreSQL"} <= found.keys()
    # Which stages a short run is caught in is luck; that hardly any is unknown is not.
    stages = {name: found.get(f"    controller: {name}", [0.0])[0] for name in NAMES}
    assert stages[OTHER] < sum(stages.values()) / 2


@pytest.fixture
def commit() -> str:
    try:
        return git("rev-parse", "HEAD")
    except (PartError, OSError) as reason:
        missing("no commit to compare with", reason)


def test_this_checkout_and_its_last_commit(commit: str, tmp_path: Path) -> None:
    works = [
        Work("warm-python", "python", requests=50),
        Work("warm-by-name", "python", requests=50, by_name=True),
    ]

    rows = compared(commit, works, rounds=1, folder=tmp_path)

    processes = ["controller", "front", "workers", "redis", "postgres", "all"]
    measured = [[work.name, process] for work in works for process in processes]
    assert [[row.scenario, row.process] for row in rows] == measured
    for total in rows[5::6]:
        for side in (total.base, total.new, total.same):
            assert len(side) == 1
            assert side[0] > 0
    lines = list(compared_table(rows, bound=1.03))
    assert [line.split()[:2] for line in lines[1:-1]] == measured
    assert list(tmp_path.iterdir()) == []
    assert str(tmp_path) not in git("worktree", "list")


def test_what_is_no_commit_is_said(tmp_path: Path, commit: str) -> None:
    with pytest.raises(PartError, match="git rev-parse failed"):
        compared("no-such-commit", [], rounds=1, folder=tmp_path)
