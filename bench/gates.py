"""The targets of the service, and how far a measurement is from them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from bench.measurement import Figures

EXECUTIONS = ("cached", "warm-python", "warm-nodejs", "warm-rust")


class Verdict(NamedTuple):
    """Whether a target was reached. The text is one line: the target, the value, and the factor of a miss."""

    gate: "Gate"
    value: float
    reached: bool
    text: str


@dataclass(frozen=True)
class Gate:
    """A target: the median of a scenario's figure is at most `bound`, or with `least` at least."""

    scenario: str
    figure: str
    bound: float
    least: bool = False

    def verdict(self, figures: Figures) -> Verdict:
        value = median(figures[self.figure])
        reached = value >= self.bound if self.least else value <= self.bound
        text = f"{self.scenario}: {self.figure} {'>=' if self.least else '<='} {self.bound:g}: {value:.4g}"
        worse, better = (self.bound, value) if self.least else (value, self.bound)
        if not reached and better:
            text += f", by a factor of {worse / better:.2f}"
        return Verdict(self, value, reached, f"{'reached ' if reached else 'MISSED  '} {text}")


GATES = (
    Gate("cached", "x yardstick", 6, least=True),
    Gate("cached", "cpu controller", 150),
    Gate("warm-python", "x yardstick", 2.5, least=True),
    Gate("warm-python", "cpu all", 650),
    Gate("warm-nodejs", "x yardstick", 2.5, least=True),
    Gate("warm-nodejs", "cpu all", 650),
    Gate("warm-rust", "x yardstick", 2, least=True),
    *(Gate(scenario, "own ms", 10) for scenario in EXECUTIONS),
    *(Gate(f"half-{scenario}", "own ms", 2) for scenario in EXECUTIONS),
    *(Gate(f"half-{scenario}", "p99 / p50", 3) for scenario in EXECUTIONS),
    Gate("fairness-cached", "slowest share", 0.5, least=True),
    Gate("fairness-warm", "slowest share", 0.5, least=True),
    Gate("connections", "errors", 0),
    Gate("connections", "pss controller", 256),
    Gate("connections", "idle cpu %", 1),
    Gate("connections", "busy cpu %", 30),
    *(Gate(f"rotation-{language}", "errors", 0) for language in ("python", "nodejs", "rust")),
    *(Gate(f"rotation-{language}", "p95 / warm p50", 10) for language in ("python", "rust")),
)


def verdicts(results: Mapping[str, Figures]) -> Iterator[Verdict]:
    """The verdict on each target with a measured figure."""
    for gate in GATES:
        if gate.figure in results.get(gate.scenario, {}):
            yield gate.verdict(results[gate.scenario])
