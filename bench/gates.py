"""What the service is to reach: targets as data, and how far a measurement is from them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median

from bench.measurement import Figures

LANGUAGES = ("python", "nodejs", "rust")


@dataclass(frozen=True)
class Gate:
    """One target: the median of a figure of a scenario is to be at least, or at most, `bound`."""

    scenario: str
    figure: str
    bound: float
    least: bool = False

    def verdict(self, figures: Figures) -> "Verdict":
        value = median(figures[self.figure])
        return Verdict(self, value, value >= self.bound if self.least else value <= self.bound)


@dataclass(frozen=True)
class Verdict:
    """What became of a target."""

    gate: Gate
    value: float
    reached: bool

    @property
    def text(self) -> str:
        """One line: what was to be reached, what was, and by how much it is missed."""
        gate = self.gate
        wanted = f"{gate.scenario}: {gate.figure} {'>=' if gate.least else '<='} {gate.bound:g}"
        if self.reached:
            return f"reached  {wanted}: {self.value:.4g}"
        worse, better = (gate.bound, self.value) if gate.least else (self.value, gate.bound)
        return f"MISSED   {wanted}: {self.value:.4g}" + (
            f", by a factor of {worse / better:.2f}" if better else ""
        )


GATES = (
    Gate("cached", "x yardstick", 6, least=True),
    Gate("cached", "cpu controller", 150),
    Gate("warm-python", "x yardstick", 2.5, least=True),
    Gate("warm-python", "cpu all", 650),
    Gate("warm-nodejs", "x yardstick", 2.5, least=True),
    Gate("warm-nodejs", "cpu all", 650),
    Gate("warm-rust", "x yardstick", 2, least=True),
    *(Gate(scenario, "own ms", 10) for scenario in ("cached", *(f"warm-{name}" for name in LANGUAGES))),
    *(
        Gate(f"half-{scenario}", figure, bound)
        for scenario in ("cached", *(f"warm-{name}" for name in LANGUAGES))
        for figure, bound in (("own ms", 2.0), ("p99 / p50", 3.0))
    ),
    Gate("fairness-cached", "slowest share", 0.5, least=True),
    Gate("fairness-warm", "slowest share", 0.5, least=True),
    Gate("connections", "errors", 0),
    Gate("connections", "pss controller", 256),
    Gate("connections", "idle cpu %", 1),
    Gate("connections", "busy cpu %", 30),
    *(Gate(f"rotation-{language}", "errors", 0) for language in LANGUAGES),
    *(Gate(f"rotation-{language}", "p95 / warm p50", 10) for language in ("python", "rust")),
)


def verdicts(results: Mapping[str, Figures]) -> Iterator[Verdict]:
    """Of every target whose figure was measured."""
    return (
        gate.verdict(results[gate.scenario])
        for gate in GATES
        if gate.figure in results.get(gate.scenario, {})
    )
