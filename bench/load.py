"""What a generator of load saw."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Load:
    """One run."""

    requests: int
    seconds: float
    refused: int
    """Answers with another status than 200."""
    wrong: int
    """Answers with status 200 that are not those to what was asked."""
    broken: int
    """Requests without an answer."""
    p50: float
    """Milliseconds, as the next two."""
    p95: float
    p99: float
    more: dict[str, float] = field(default_factory=dict)
    """What only this scenario tells, by its name."""


@dataclass
class Tally:
    """Counts the answers of clients of our own."""

    took: list[float] = field(default_factory=list)
    """Milliseconds of each good answer."""
    refused: int = 0
    wrong: int = 0
    broken: int = 0

    def load(self, seconds: float, **more: float) -> Load:
        """All answers so far, which came in so many seconds."""
        requests = len(self.took) + self.refused + self.wrong + self.broken
        took = sorted(self.took)
        p50, p95, p99 = (quantile(took, share) for share in (0.5, 0.95, 0.99))
        return Load(requests, seconds, self.refused, self.wrong, self.broken, p50, p95, p99, more)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value that so large a share of the others does not exceed; 0 when there is none."""
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0
