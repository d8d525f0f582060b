"""Every scenario, very small: its answers are right, and its figures are there. Times are of no interest here."""

from collections.abc import Sequence

import pytest

from bench.measurement import measure
from bench.scenarios import GROUPS, Group
from bench.scenarios.scenario import Bench, Scale, Scenario
from bench.service import Service
from bench.table import GATES, table
from bench.wrk import Wrk

SMALL = Scale(
    seconds=1, clients=4, times=2, compilations=1, sessions=4, compiled_sessions=2, connections=100, hold=1
)
#: What every scenario tells; memory and CPU of each part besides.
FIGURES = {"rps", "p50", "p95", "p99", "errors", "cpu all"}
PARTS = {"controller", "front", "workers", "redis", "postgres", "yardstick"}


class Measured:
    """Scenarios of some groups, each run once, after those that it refers to."""

    def __init__(self, service: Service, load: Wrk, groups: Sequence[Group]) -> None:
        self.bench = Bench(service, load, SMALL, print)
        self._scenarios = {each.name: each for group in groups for each in group.scenarios}
        self._results: dict[str, dict[str, list[float]]] = {}

    def figures(self, name: str) -> dict[str, list[float]]:
        if name not in self._results:
            for other in self._scenarios[name].references:
                self.figures(other)
            self._results |= measure(self.bench, [self._scenarios[name]], runs=1)
        return self._results[name]


def scenarios(groups: Sequence[Group]) -> pytest.MarkDecorator:
    found: list[Scenario] = [each for group in groups for each in group.scenarios]
    return pytest.mark.parametrize("scenario", found, ids=[each.name for each in found])


def check(measured: Measured, scenario: Scenario) -> None:
    figures = measured.figures(scenario.name)
    wanted = FIGURES | {f"{kind} {part}" for kind in ("cpu", "pss", "peak") for part in PARTS}
    wanted |= {gate.figure for gate in GATES if gate.scenario == scenario.name}

    assert figures["errors"] == [0]
    assert wanted - figures.keys() == set()
    assert figures["rps"][0] > 0
    assert 0 < figures["p50"][0] <= figures["p95"][0] <= figures["p99"][0]
    assert scenario.name in "\n".join(table([(scenario.name, scenario.title, figures)]))


@pytest.fixture(scope="module")
def measured(service: Service, load: Wrk) -> Measured:
    return Measured(service, load, GROUPS)


@scenarios(GROUPS)
def test_a_scenario(measured: Measured, scenario: Scenario) -> None:
    check(measured, scenario)
