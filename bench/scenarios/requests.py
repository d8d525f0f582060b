"""Scenarios that wrk makes: many clients who ask without a pause, or at a pace."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.load import Load
from bench.scenarios.scenario import Bench, Run
from bench.scenarios.sessions import INITIALIZE, burst, loops, session, sessions, title_line
from bench.scripts import COMMENTS, TRIVIAL
from bench.service import Service
from bench.wrk import Plan

#: Requests before each run that bring a script's workers up: more than there may be of them.
WARMING = 16
HALF = 0.5
#: Functions that sessions are opened of: one row of the database is not all that is written to.
TITLES = 64
JSON = {"Content-Type": "application/json"}
#: What an execution is compared to.
REFERENCES = ("yardstick", "constant")


@dataclass(frozen=True)
class Execute:
    """Executing one script, whose answer is its `n` plus one.

    Args:
        fresh: share of requests that nobody has asked before; the others' results are cached.
        known: how many different requests the others are.
        padding: bytes of params besides.
        busy: milliseconds that the script is to compute, which it does for as long as `loops` says; 0: it has none.
        full: the scenario of which half the throughput is asked for; empty: as much as there can be.
    """

    name: str
    title: str
    language: str
    script: str
    fresh: float = 0.0
    known: int = 1
    padding: int = 0
    busy: int = 0
    full: str = ""
    yardsticks: tuple[str, ...] = REFERENCES

    @property
    def references(self) -> tuple[str, ...]:
        return (*self.yardsticks, self.full) if self.full else self.yardsticks

    def prepare(self, bench: Bench) -> Run:
        path = session(bench.service, self.language, self.script)
        params: dict[str, object] = {"padding": "x" * self.padding} if self.padding else {}
        if self.busy:
            params["loops"] = loops(bench.service, path, self.busy)
        plan = execution(bench.service, [path], self.fresh, self.known, params)

        def run(begin: Callable[[], None]) -> Load:
            paced = replace(plan.anew(), pause=self._pause(bench))
            warming = range(paced.first - WARMING, paced.first) if self.fresh else ()
            burst(bench.service.port, paced, [*warming, *range(paced.first, paced.first + self.known)])
            begin()
            return bench.wrk(bench.service.port, paced, bench.scale.seconds, bench.scale.clients)

        return run

    def _pause(self, bench: Bench) -> int:
        """Milliseconds of a client between an answer and its next request."""
        if not self.full:
            return 0
        turn = 1000 * bench.scale.clients / (bench.latest[self.full]["rps"] * HALF)
        return max(round(turn - bench.latest.get(self.name, {}).get("p50", 0.0)), 1)


@dataclass(frozen=True)
class Rotation:
    """Executing in many sessions in turn, each with a script of its own: far more than there may be workers."""

    name: str
    title: str
    language: str
    warm: str
    """The scenario of one script that is always warm."""

    @property
    def references(self) -> tuple[str, ...]:
        return (*REFERENCES, self.warm)

    def prepare(self, bench: Bench) -> Run:
        scale = bench.scale
        number = scale.compiled_sessions if self.language == "rust" else scale.sessions
        paths = sessions(bench.service, self.language, number)
        plan = execution(bench.service, paths, fresh=1.0)

        def run(begin: Callable[[], None]) -> Load:
            begin()
            load = bench.wrk(bench.service.port, plan.anew(), scale.seconds, scale.clients)
            ratio = load.p95 / bench.latest[self.warm]["p50"]
            return replace(load, more=load.more | {"p95 / warm p50": ratio})

        return run


@dataclass(frozen=True)
class Server:
    """A server that is none of ours and answers the same, or a constant."""

    name: str
    title: str
    port: Callable[[Service], int]
    fresh: float = 1.0
    language: str = ""
    references: tuple[str, ...] = ()

    def prepare(self, bench: Bench) -> Run:
        plan = Plan(
            paths=["/"],
            headers=JSON,
            before='{"params": {"n": ',
            after="}}",
            fresh=self.fresh,
            counts=self.fresh > 0,
        )

        def run(begin: Callable[[], None]) -> Load:
            begin()
            port = self.port(bench.service)
            return bench.wrk(port, plan.anew(), bench.scale.seconds, bench.scale.clients)

        return run


@dataclass(frozen=True)
class Initialize:
    """Opening sessions, of one script or of ever new ones."""

    name: str
    title: str
    language: str
    new: bool
    references: tuple[str, ...] = ()

    def prepare(self, bench: Bench) -> Run:
        script = f"{TRIVIAL[self.language]}{COMMENTS[self.language]} "
        before, after = json.dumps({"script_content": f"{script}|\n"}).rsplit("|", 1)
        plan = Plan(
            paths=[INITIALIZE],
            headers=bench.service.headers | JSON,
            lines=[title_line(self.language, f"bench-{number}") for number in range(TITLES)],
            before=before,
            after=after,
            fresh=1.0 if self.new else 0.0,
            answer='"status": *"(initialized)"',
            counts=False,
        )

        def run(begin: Callable[[], None]) -> Load:
            fresh = plan.anew()
            burst(bench.service.port, fresh, [fresh.first])
            begin()
            return bench.wrk(bench.service.port, fresh, bench.scale.seconds, bench.scale.clients)

        return run


def execution(
    service: Service,
    paths: Sequence[str],
    fresh: float,
    known: int = 1,
    params: Mapping[str, object] | None = None,
) -> Plan:
    """Executions whose params are a number, and what is the same for all."""
    before, after = json.dumps({"params": {**(params or {}), "n": 0}}).rsplit("0", 1)
    return Plan(
        paths=paths, headers=service.headers | JSON, before=before, after=after, fresh=fresh, known=known
    )
