"""Runs of scenarios in turn, and the figures of each."""

from collections import defaultdict
from collections.abc import Sequence

from bench.load import Load
from bench.scenarios.scenario import Bench, Run, Scenario
from bench.service import Service

#: The values of one scenario's runs, by the name of the figure.
Figures = dict[str, list[float]]
MICROSECONDS = 1e6


def measure(bench: Bench, scenarios: Sequence[Scenario], runs: int) -> dict[str, Figures]:
    """Run each scenario once in each round, so that what drifts drifts for all. Returns the figures by scenario."""
    prepared: list[tuple[Scenario, Run]] = []
    for scenario in scenarios:
        bench.announce(f"preparing {scenario.name}")
        prepared.append((scenario, scenario.prepare(bench)))
    results: dict[str, Figures] = {scenario.name: defaultdict(list) for scenario in scenarios}
    for number in range(1, runs + 1):
        for scenario, run in prepared:
            bench.announce(f"run {number} of {runs}: {scenario.name}")
            found = figures(bench.service, run)
            found |= ratios(found, {name: bench.latest[name] for name in scenario.references})
            bench.latest[scenario.name] = found
            for name, value in found.items():
                results[scenario.name][name].append(value)
    return results


def figures(service: Service, run: Run) -> dict[str, float]:
    """Those of one run: times in ms, CPU in microseconds a request, memory in MiB."""
    before: dict[str, float] = {}
    own_before = (0.0, 0.0)

    def begin() -> None:
        nonlocal own_before
        own_before = service.own_time("execute")
        before.update(service.meter.cpu())

    load = run(begin)
    after, own_after = service.meter.cpu(), service.own_time("execute")
    found = cpu_per_request({name: after[name] - before[name] for name in after}, load.requests)
    if calls := own_after[1] - own_before[1]:
        found["own ms"] = (own_after[0] - own_before[0]) / calls * 1000
    found |= {f"pss {name}": size for name, size in service.meter.pss().items()}
    found |= {f"peak {name}": size for name, size in service.meter.peak().items()}
    return found | of_load(load)


def of_load(load: Load) -> dict[str, float]:
    """What the clients saw."""
    found = {
        "rps": load.requests / load.seconds,
        "p50": load.p50,
        "p95": load.p95,
        "p99": load.p99,
        "errors": load.refused + load.wrong + load.broken,
        "refused": load.refused,
        "wrong": load.wrong,
        "broken": load.broken,
    }
    if load.p50:
        found["p99 / p50"] = load.p99 / load.p50
    return found | load.more


def cpu_per_request(seconds: dict[str, float], requests: int) -> dict[str, float]:
    """Microseconds of each part, and of all together."""
    found = {f"cpu {name}": spent / max(requests, 1) * MICROSECONDS for name, spent in seconds.items()}
    return found | {"cpu all": sum(found.values())}


def ratios(found: dict[str, float], references: dict[str, dict[str, float]]) -> dict[str, float]:
    """The throughput as a multiple of each reference's, which goes by the first word of its name."""
    return {f"x {name.split('-')[0]}": found["rps"] / other["rps"] for name, other in references.items()}
