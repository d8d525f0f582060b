"""What a scenario is, and what it works with."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.connection import Answer
from bench.service import Service
from bench.wrk import Load, Wrk


@dataclass(frozen=True)
class Scale:
    """How much is done. Tests do very little."""

    seconds: int = 3
    """Of one run under load."""
    clients: int = 32
    times: int = 20
    """Requests of a single client in one run."""
    compilations: int = 4
    sessions: int = 1000
    compiled_sessions: int = 150
    """Of compiled scripts: enough that no script finds its worker when its turn comes."""
    connections: int = 10_000
    hold: int = 60
    """Seconds that the connections are held."""


@dataclass
class Bench:
    """What scenarios share."""

    service: Service
    wrk: Wrk
    scale: Scale
    announce: Callable[[str], None]
    latest: dict[str, dict[str, float]] = field(default_factory=dict)
    """The figures of the latest run of each scenario, by its name."""


#: One run. It calls its argument after its own preparation, when the measured part begins.
Begin = Callable[[], None]
Run = Callable[[Begin], Load]


@dataclass(frozen=True)
class Scenario(ABC):
    """One row of the table. `language` is that of its scripts; it may have none."""

    name: str
    title: str
    language: str

    @property
    def references(self) -> tuple[str, ...]:
        """Scenarios that run before this one, and that its throughput is compared with."""
        return ()

    @abstractmethod
    def prepare(self, bench: Bench) -> Run:
        """Do once what all runs need, and return one run."""


class UnexpectedAnswer(Exception):
    """A request of the preparation failed. The message has the answer."""


def expect_ok(answer: Answer) -> bytes:
    """The body of a good answer. Raises UnexpectedAnswer."""
    if answer.status != 200:
        raise UnexpectedAnswer(f"{answer.status} {answer.body.decode(errors='replace')[:500]}")
    return answer.body
