"""What a generator of load has counted."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Load:
    """The answers of one run."""

    requests: int
    seconds: float
    refused: int
    """Answers with another status than 200."""
    wrong: int
    """Answers with status 200 and a wrong body."""
    broken: int
    """Requests without an answer."""
    p50: float
    """Milliseconds, as the next two."""
    p95: float
    p99: float
    more: dict[str, float] = field(default_factory=dict)
    """Figures of this scenario alone, by name."""


@dataclass
class Tally:
    """Counts the answers of our own clients."""

    took: list[float] = field(default_factory=list)
    """Milliseconds of each right answer."""
    refused: int = 0
    wrong: int = 0
    broken: int = 0

    @property
    def errors(self) -> int:
        return self.refused + self.wrong + self.broken

    def load(self, seconds: float, **more: float) -> Load:
        """All answers so far, received within `seconds`."""
        took = sorted(self.took)
        p50, p95, p99 = (quantile(took, share) for share in (0.5, 0.95, 0.99))
        requests = len(took) + self.errors
        return Load(requests, seconds, self.refused, self.wrong, self.broken, p50, p95, p99, more)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed; 0 when there is none."""
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0
