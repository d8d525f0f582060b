"""Every scenario, very small: its answers are right, and its figures are there. Times are of no interest here."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.gates import GATES
from bench.measurement import measure
from bench.scenarios import GROUPS, Group
from bench.scenarios.scenario import Bench, Scale, Scenario
from bench.service import Service
from bench.table import table
from bench.wrk import Wrk
from local.fetch.go_programs import UnavailableError
from local.fetch.openfaas_tools import Tools
from local.services import RUNTIMES
from tests.conftest import ROOT

SMALL = Scale(
    seconds=1, clients=4, times=2, compilations=1, sessions=4, compiled_sessions=2, connections=100, hold=1
)
DIRECT = [group for group in GROUPS if not group.watchdog]
BEHIND = [group for group in GROUPS if group.watchdog]
#: What every scenario tells; memory and CPU of each part besides.
FIGURES = {"rps", "p50", "p95", "p99", "errors", "cpu all"}
PARTS = {"controller", "front", "workers", "redis", "postgres", "yardstick"}


class Measured:
    """Scenarios of some groups, each run once, after those that it refers to."""

    def __init__(self, service: Service, load: Wrk, groups: list[Group]) -> None:
        self.bench = Bench(service, load, SMALL, print)
        self._scenarios = {each.name: each for group in groups for each in group.scenarios}
        self._results: dict[str, dict[str, list[float]]] = {}

    def figures(self, name: str) -> dict[str, list[float]]:
        if name not in self._results:
            for other in self._scenarios[name].references:
                self.figures(other)
            self._results |= measure(self.bench, [self._scenarios[name]], runs=1)
        return self._results[name]


def scenarios(groups: list[Group]) -> pytest.MarkDecorator:
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
    return Measured(service, load, DIRECT)


@pytest.fixture(scope="module")
def measured_behind(
    tmp_path_factory: pytest.TempPathFactory, node_program: str, rust_toolchain: Path, load: Wrk
) -> Iterator[Measured]:
    try:
        watchdog = Tools(ROOT / ".local" / "openfaas").watchdog()
    except UnavailableError as reason:
        # The one part that may be missing in CI as well: see docs/adr/0005-of-watchdog-from-outside.md.
        pytest.skip(f"of-watchdog: {reason}")
    folder = tmp_path_factory.mktemp("bench-behind")
    with Service(folder, list(RUNTIMES), node_program, rust_toolchain, {}, {}, watchdog) as service:
        yield Measured(service, load, BEHIND)


@scenarios(DIRECT)
def test_a_scenario(measured: Measured, scenario: Scenario) -> None:
    check(measured, scenario)


@scenarios(BEHIND)
def test_a_scenario_behind_the_watchdog(measured_behind: Measured, scenario: Scenario) -> None:
    check(measured_behind, scenario)
    assert measured_behind.figures(scenario.name)["cpu watchdogs"][0] > 0
