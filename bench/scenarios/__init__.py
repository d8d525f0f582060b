"""The scenarios of `make bench`: its rows, by the service that they are run against."""

from dataclasses import dataclass, field

from bench.scenarios.clients import Fairness, IdleConnections
from bench.scenarios.requests import Execute, Initialize, Rotation, Server
from bench.scenarios.scenario import Scenario
from bench.scenarios.sequences import Compile, FirstExecution
from bench.scripts import BUSY, TRIVIAL

LANGUAGES = {"python": "Python", "nodejs": "Node.js", "rust": "Rust"}
MIB = 1 << 20


@dataclass(frozen=True)
class Group:
    """Scenarios that are run in turn against one service."""

    name: str
    scenarios: tuple[Scenario, ...]
    controller: dict[str, str] = field(default_factory=dict)
    """Variables beside the defaults."""
    runtime: dict[str, str] = field(default_factory=dict)
    watchdog: bool = False
    """Whether an of-watchdog stands before every server."""
    runs: int | None = None
    """At most so many runs, of what takes long."""


BEHIND = ", of-watchdog"
YARDSTICK_BEHIND = "yardstick-watchdog"


GROUPS = (
    Group(
        "throughput",
        (
            Server("yardstick", "Flask on waitress, n + 1", lambda service: service.yardstick_port),
            Server(
                "constant", "Flask on gunicorn, a constant", lambda service: service.constant_port, fresh=0.0
            ),
            Execute("cached", "execute, cached", "python", TRIVIAL["python"]),
            *(
                Execute(f"warm-{language}", f"execute, warm, {name}", language, TRIVIAL[language], 1.0)
                for language, name in LANGUAGES.items()
            ),
            Execute("half-cached", "execute, cached, half load", "python", TRIVIAL["python"], full="cached"),
            *(
                Execute(
                    f"half-warm-{language}",
                    f"execute, warm, {name}, half load",
                    language,
                    TRIVIAL[language],
                    1.0,
                    full=f"warm-{language}",
                )
                for language, name in LANGUAGES.items()
            ),
            Execute("mixed", "execute, 80% cached, Python", "python", TRIVIAL["python"], 0.2, known=100),
            Fairness("fairness-cached", "64 clients, cached", fresh=False),
            Fairness("fairness-warm", "64 clients, warm, Python", fresh=True),
        ),
    ),
    Group(
        "scripts",
        (
            *(
                Execute(
                    f"ten-ms-{language}", f"execute, 10 ms, {name}", language, BUSY[language], 1.0, busy=10
                )
                for language, name in LANGUAGES.items()
            ),
            Execute(
                "one-mib", "execute, 1 MiB of params, Python", "python", TRIVIAL["python"], 1.0, padding=MIB
            ),
            *(
                Initialize(f"initialize-known-{language}", f"initialize, known, {name}", language, new=False)
                for language, name in LANGUAGES.items()
            ),
            *(
                Initialize(f"initialize-new-{language}", f"initialize, new, {name}", language, new=True)
                for language, name in LANGUAGES.items()
                if language != "rust"
            ),
            Compile("initialize-new-rust", "initialize, new, Rust: compile", "rust"),
            *(
                FirstExecution(f"first-{language}", f"first execution, {name}", language)
                for language, name in LANGUAGES.items()
            ),
        ),
        runs=3,
    ),
    Group(
        "rotation",
        tuple(
            Rotation(
                f"rotation-{language}",
                f"execute, scripts in turn, 50 workers, {name}",
                language,
                f"warm-{language}",
            )
            for language, name in LANGUAGES.items()
        ),
        runtime={"WORKERS_MAX": "50"},
    ),
    Group(
        "connections",
        (IdleConnections("connections", "10,000 connections, 1% active"),),
        # By default none is held for as long as asking them all may take a slow machine.
        controller={"GUNICORN_CMD_ARGS": "--keep-alive=300"},
        runs=1,
    ),
    Group(
        "watchdog",
        (
            Server(
                YARDSTICK_BEHIND, f"Flask on waitress, n + 1{BEHIND}", lambda service: service.yardstick_port
            ),
            Execute(
                "cached-watchdog",
                f"execute, cached{BEHIND}",
                "python",
                TRIVIAL["python"],
                yardsticks=(YARDSTICK_BEHIND,),
            ),
            *(
                Execute(
                    f"warm-{language}-watchdog",
                    f"execute, warm, {name}{BEHIND}",
                    language,
                    TRIVIAL[language],
                    fresh=1.0,
                    yardsticks=(YARDSTICK_BEHIND,),
                )
                for language, name in LANGUAGES.items()
            ),
        ),
        watchdog=True,
        runs=3,
    ),
)
