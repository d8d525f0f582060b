"""What clients were answered: the truth that metrics are compared with."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from requests import Response

Answer = Callable[[], Response]


@dataclass
class Ledger:
    """Counts of one round of load."""

    requests: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """By endpoint, language and code; `none` where the language is not known."""
    answers: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """By endpoint and status, which those have that somebody waited for."""
    seconds: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """How long they took in the eyes of the client, by endpoint."""
    lookups: Counter[str] = field(default_factory=Counter)
    """Executions that came as far as the cache, by the source of their answer."""
    sessions: Counter[str] = field(default_factory=Counter)
    """Begun, by language; those behind executions by name, too."""
    references: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """Executions by name, by the kind of the reference and the side of the alias."""
    artifacts: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """Initializations of compiled languages by language and source."""
    kills: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """Workers that ended, by language and verdict."""

    def count(self, endpoint: str, language: str, code: str, call: Answer) -> Response:
        """Makes a call that has to be answered so, and counts it."""
        started = time.perf_counter()
        answer = call()
        self.seconds[endpoint].append(time.perf_counter() - started)
        assert _code(answer) == code, answer.text
        self.requests[endpoint, language, code] += 1
        self.answers[endpoint, str(answer.status_code)] += 1
        return answer

    def __add__(self, other: "Ledger") -> "Ledger":
        """Both rounds, but for the seconds."""
        return Ledger(
            self.requests + other.requests,
            self.answers + other.answers,
            lookups=self.lookups + other.lookups,
            sessions=self.sessions + other.sessions,
            references=self.references + other.references,
            artifacts=self.artifacts + other.artifacts,
            kills=self.kills + other.kills,
        )

    @property
    def runs(self) -> int:
        """Executions that ran and succeeded."""
        executed = self.by(0, 2)["execute", "ok"]
        return executed - self.lookups["hit"] - self.lookups["coalesced"]

    def by(self, *places: int) -> Counter[tuple[str, ...]]:
        """The requests by some of endpoint (0), language (1) and code (2)."""
        counted: Counter[tuple[str, ...]] = Counter()
        for key, number in self.requests.items():
            counted[tuple(key[place] for place in places)] += number
        return counted


def _code(answer: Response) -> str:
    if answer.status_code < 400:
        return "ok"
    code: str = answer.json()["error"]["code"]
    return code.lower()
