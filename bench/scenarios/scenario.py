"""What a scenario is, and what it works with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from bench.connection import Answer
from bench.load import Load
from bench.service import Service
from bench.wrk import Wrk


@dataclass(frozen=True)
class Scale:
    """How much is done. The smoke tests do very little of everything."""

    seconds: int = 3
    """Of one run under load."""
    clients: int = 32
    times: int = 20
    """Of what is done one at a time, in one run."""
    compilations: int = 4
    sessions: int = 1000
    compiled_sessions: int = 150
    """Of compiled scripts: as with more, each finds its worker gone when its turn comes, and it takes no minutes."""
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


#: One run. It calls its argument when that begins which is measured: what came before is preparation.
Run = Callable[[Callable[[], None]], Load]


class Scenario(Protocol):
    """One row of the table."""

    @property
    def name(self) -> str:
        """As `make bench SCENARIO=` selects it."""

    @property
    def title(self) -> str: ...

    @property
    def language(self) -> str:
        """Of its scripts; empty where it has none."""

    @property
    def references(self) -> tuple[str, ...]:
        """The scenarios that this one's throughput is compared to, which have to be run before it."""

    def prepare(self, bench: Bench) -> Run:
        """Do once what all runs need, and return what makes one of them."""


class UnexpectedAnswer(Exception):
    """A request of the preparation was not answered well. The message has the answer."""


def expect_ok(answer: Answer) -> bytes:
    """The body of a good answer. Raises UnexpectedAnswer."""
    if answer.status != 200:
        raise UnexpectedAnswer(f"{answer.status} {answer.body.decode(errors='replace')[:500]}")
    return answer.body
