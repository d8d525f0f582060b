"""The quantities that grow, and the requests that are measured at each size."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from bench.growth.filling import Filling
from bench.scenarios.scenario import Run

#: The stores and the controller: the start of a worker would hide a request's other costs.
OWN = ("cpu controller", "cpu redis", "cpu postgres")


class Series(NamedTuple):
    """One kind of request. `prepare` is called at each size and returns one run."""

    title: str
    prepare: Callable[[Filling, int], Run]
    judged: tuple[str, ...] = ("cpu all",)
    """The figures whose sum must not grow faster than the logarithm of the size."""


@dataclass(frozen=True)
class Axis:
    """One quantity. It grows in a service of its own, with these variables besides the defaults."""

    name: str
    title: str
    sizes: tuple[int, ...]
    series: tuple[Series, ...]
    grow: Callable[[Filling, int], None] = lambda filling, size: None
    controller: dict[str, str] = field(default_factory=dict)
    runtime: dict[str, str] = field(default_factory=dict)

    def prepare(self, filling: Filling, size: int) -> dict[str, Run]:
        """Reach the size, and return one run of each series, by title."""
        self.grow(filling, size)
        return {each.title: each.prepare(filling, size) for each in self.series}

    def up_to(self, largest: int) -> list[int]:
        """The sizes up to `largest`, and at least the two smallest."""
        return [size for size in self.sizes if size <= largest or size in self.sizes[:2]]


_IN_ANY_SESSION = (
    Series("execute, cached, any of the sessions", Filling.cached),
    Series("execute, warm, any of the sessions", Filling.warm),
)
AXES = (
    Axis(
        "sessions",
        "sessions in the memory of the process",
        (1, 100, 1_000, 10_000),
        _IN_ANY_SESSION,
        Filling.have_sessions,
    ),
    Axis(
        "sessions-in-redis",
        "sessions that are read from Redis",
        (10, 100, 1_000, 10_000, 100_000),
        _IN_ANY_SESSION,
        Filling.have_sessions,
        controller={"SESSIONS_IN_MEMORY": "1"},
    ),
    Axis(
        "scripts",
        "functions of the user, each with another script",
        (1, 100, 1_000, 10_000),
        (
            Series("initialize by a title, any of them", Filling.initialized_by_title, OWN),
            Series("the first page of the functions", Filling.page, OWN),
        ),
        Filling.have_functions,
    ),
    Axis(
        "workers",
        "warm workers, each of another script",
        (1, 5, 10, 25, 50),
        (Series("execute, warm, all of them in turn", Filling.rotated),),
        # By default idle workers are ended for their memory before there are fifty.
        runtime={"WORKERS_MAX": "60", "WORKERS_PER_SCRIPT_MAX": "1", "POOL_MEMORY_MAX_BYTES": str(8 << 30)},
    ),
    Axis(
        "log-rows",
        "rows in request_logs",
        (0, 10_000, 100_000, 1_000_000),
        (
            Series("execute, cached: one row more", Filling.cached, ("cpu postgres",)),
            Series("a session's status", Filling.status, OWN),
            Series("initialize, known script", Filling.initialized, OWN),
        ),
        Filling.have_log_rows,
    ),
)
