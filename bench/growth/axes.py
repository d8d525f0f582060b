"""What may become more, how it is made so, and the requests whose cost is measured then."""

from collections.abc import Callable
from dataclasses import dataclass, field

from bench.growth.ground import Ground
from bench.growth.requests import (
    by_title,
    cached,
    echoed,
    function_page,
    initialized,
    padded,
    ranked,
    rotated,
    status,
    warm,
)
from bench.scenarios.scenario import Run

ALL = "cpu all"
#: What the stores and the controller use: a request that has a worker started hides the rest in the runtime's part.
OURS = "cpu own"


@dataclass(frozen=True)
class Series:
    """One kind of request. `prepare` is called at each size and returns what makes one run."""

    name: str
    title: str
    prepare: Callable[[Ground, int], Run]
    judged: str = ALL
    """The figure that must not grow faster than its law."""
    linear: bool = False
    """Whether the law is a line, not a logarithm."""


@dataclass(frozen=True)
class Axis:
    """What becomes more, against a service of its own."""

    name: str
    title: str
    sizes: tuple[int, ...]
    series: tuple[Series, ...]
    grow: Callable[[Ground, int], None] = lambda ground, size: None
    controller: dict[str, str] = field(default_factory=dict)
    """Variables beside the defaults, as the next."""
    runtime: dict[str, str] = field(default_factory=dict)

    def prepare(self, ground: Ground, size: int) -> dict[str, Run]:
        """Have so many, and return what makes one run of each series then."""
        self.grow(ground, size)
        return {each.name: each.prepare(ground, size) for each in self.series}

    def up_to(self, largest: int) -> list[int]:
        """Its sizes, none over that, and at least the two smallest."""
        return [size for size in self.sizes if size <= largest or size in self.sizes[:2]]


AXES = (
    Axis(
        "sessions",
        "sessions that the process remembers",
        (1, 100, 1_000, 10_000),
        (
            Series("cached", "execute, cached, any of the sessions", cached),
            Series("warm", "execute, warm, any of the sessions", warm),
        ),
        grow=lambda ground, size: ground.have_sessions(size, visited=True),
    ),
    Axis(
        "sessions-in-redis",
        "sessions that Redis has to be asked for",
        (10, 100, 1_000, 10_000, 100_000),
        (
            Series("cached", "execute, cached, any of those sessions", cached),
            Series("warm", "execute, warm, any of those sessions", warm),
        ),
        grow=lambda ground, size: ground.have_sessions(size),
        controller={"SESSIONS_IN_MEMORY": "1"},
    ),
    Axis(
        "scripts",
        "functions of the user, each with a script of its own",
        (1, 100, 1_000, 10_000),
        (
            Series("by-title", "initialize by a title, any of them", by_title, OURS),
            Series("page", "the first page of the functions", function_page, OURS),
        ),
        grow=lambda ground, size: ground.have_functions(size),
    ),
    Axis(
        "workers",
        "warm workers, each of a script of its own",
        (1, 5, 10, 25, 50),
        (Series("run", "execute, warm, all of them in turn", rotated),),
        # By default idle workers are ended for their memory before there are fifty.
        runtime={"WORKERS_MAX": "60", "WORKERS_PER_SCRIPT_MAX": "1", "POOL_MEMORY_MAX_BYTES": str(8 << 30)},
    ),
    Axis(
        "log-rows",
        "rows in request_logs",
        (0, 10_000, 100_000, 1_000_000, 10_000_000),
        (
            Series("row", "execute, cached: one row more", cached, "cpu postgres"),
            Series("status", "a session's status", status, OURS),
            Series("initialize", "initialize, known script", initialized, OURS),
        ),
        grow=lambda ground, size: ground.have_log_rows(size),
    ),
    Axis(
        "payload",
        "bytes",
        (1, 1 << 10, 1 << 14, 1 << 16, 1 << 18, 1 << 20),
        (
            Series("params", "execute, warm, so large params", padded, linear=True),
            Series("result", "execute, warm, so large a result", echoed, linear=True),
        ),
    ),
    Axis(
        "addresses",
        "addresses of the language's runtimes",
        (1, 2, 5, 10, 25, 50),
        (Series("call", "a call of the runtime's client, in a process of its own", ranked, "cpu client"),),
    ),
    Axis(
        "window",
        "requests of the user in the last minute",
        (0, 100, 1_000, 10_000, 100_000),
        (
            Series(
                "admission",
                "execute, cached",
                lambda ground, size: cached(ground, size, ground.filled_window(size)),
                "cpu redis",
            ),
        ),
    ),
)
