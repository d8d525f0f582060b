"""The scenarios of `make bench`: the rows of its table, by the service that they run against."""

from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from bench.scenarios.at_rest import AtRest
from bench.scenarios.clients import Fairness, FreshProcesses, IdleConnections, NewScripts
from bench.scenarios.requests import Execute, Initialize, Rotation, Server
from bench.scenarios.scenario import BUSY, TRIVIAL, Scenario

LANGUAGES = {"python": "Python", "nodejs": "Node.js", "rust": "Rust"}
PYTHON = "python", TRIVIAL["python"]
YARDSTICK = attrgetter("yardstick_port")


@dataclass(frozen=True)
class Group:
    """Scenarios that run in turn against one service, with these variables besides the defaults."""

    name: str
    scenarios: tuple[Scenario, ...]
    controller: dict[str, str] = field(default_factory=dict)
    runtime: dict[str, str] = field(default_factory=dict)
    runs: int | None = None
    """At most so many runs, because each takes long."""


def each(kind: Callable[..., Scenario], name: str, title: str, **fields: Any) -> list[Scenario]:
    """One scenario for each language: `{}` stands for it, and a field may be a function of it."""
    return [
        kind(
            name.format(language),
            title.format(LANGUAGES[language]),
            language,
            **{key: value(language) if callable(value) else value for key, value in fields.items()},
        )
        for language in LANGUAGES
    ]


WARM = {"script": TRIVIAL.get, "fresh": 1.0}
GROUPS = (
    Group(
        "throughput",
        (
            Server("yardstick", "Flask on waitress, n + 1", "", YARDSTICK),
            Server("constant", "Flask on gunicorn, constant", "", attrgetter("constant_port"), 0.0),
            Execute("cached", "execute, cached", *PYTHON),
            Execute("cached-by-name", "execute by name, cached", *PYTHON, by_name=True),
            *each(Execute, "warm-{}", "execute, warm, {}", **WARM),
            Execute("half-cached", "execute, cached, half load", *PYTHON, full="cached"),
            *each(Execute, "half-warm-{}", "execute, warm, {}, half load", full="warm-{}".format, **WARM),
            Execute("mixed", "execute, 80% cached, Python", *PYTHON, 0.2, known=100),
            Fairness("fairness-cached", "64 clients, cached", "python", fresh=False),
            Fairness("fairness-warm", "64 clients, warm, Python", "python", fresh=True),
        ),
    ),
    Group(
        "scripts",
        (
            *each(Execute, "ten-ms-{}", "execute, 10 ms, {}", script=BUSY.get, fresh=1.0),
            Execute("one-mib", "execute, 1 MiB of params, Python", *PYTHON, 1.0, padding=1 << 20),
            *each(Initialize, "initialize-known-{}", "initialize, known, {}", new=False),
            *each(Initialize, "initialize-new-{}", "initialize, new, {}", new=True)[:-1],
            NewScripts("initialize-new-rust", "initialize, new, Rust: compile", "rust", execute=False),
            *each(NewScripts, "first-{}", "first execution, {}", execute=True),
            *each(FreshProcesses, "fresh-{}", "execute in a new process, {}"),
        ),
        runs=3,
    ),
    Group(
        "rotation",
        tuple(
            each(Rotation, "rotation-{}", "execute, scripts in turn, 50 workers, {}", warm="warm-{}".format)
        ),
        runtime={"WORKERS_MAX": "50"},
    ),
    Group("at rest", (AtRest("at-rest", "started by its own command, not used", ""),), runs=3),
    Group(
        "connections",
        (IdleConnections("connections", "10,000 connections, 1% active", "python"),),
        # A slow machine may take longer to ask them all than a connection is kept by default.
        controller={"GUNICORN_CMD_ARGS": "--keep-alive=300"},
        runs=1,
    ),
)
