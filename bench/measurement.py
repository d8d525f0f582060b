"""Runs of scenarios in turn, and the figures of each."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from bench.scenarios.scenario import Bench, Run, Scenario
from bench.service import Service
from bench.wrk import Load

#: The values of one scenario's runs, by the name of the figure.
Figures = dict[str, list[float]]
MICROSECONDS = 1e6


def measure(bench: Bench, scenarios: Sequence[Scenario], runs: int) -> dict[str, Figures]:
    """The figures of each scenario."""
    bench.announce(f"preparing {', '.join(scenario.name for scenario in scenarios)}")
    prepared = {scenario.name: scenario.prepare(bench) for scenario in scenarios}
    return rounds(bench, prepared, runs, {scenario.name: scenario.references for scenario in scenarios})


def rounds(
    bench: Bench, prepared: Mapping[str, Run], runs: int, references: Mapping[str, Sequence[str]]
) -> dict[str, Figures]:
    """The figures of each run. Each is run once in each round, so that a drift of the machine affects all."""
    results: dict[str, Figures] = {name: defaultdict(list) for name in prepared}
    for number in range(1, runs + 1):
        for name, run in prepared.items():
            bench.announce(f"run {number} of {runs}: {name}")
            found = figures(bench.service, run)
            found |= ratios(found, {other: bench.latest[other] for other in references.get(name, ())})
            bench.latest[name] = found
            for figure, value in found.items():
                results[name][figure].append(value)
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
    found = {name: getattr(load, name) for name in ("p50", "p95", "p99", "refused", "wrong", "broken")}
    found["rps"] = load.requests / load.seconds
    found["errors"] = load.refused + load.wrong + load.broken
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
