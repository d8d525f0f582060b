"""Scenarios with wrk: many clients that ask without a pause, or at a pace."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.scenarios.scenario import (
    COMMENTS,
    INITIALIZE,
    TRIVIAL,
    Begin,
    Bench,
    Run,
    Scenario,
    burst,
    function,
    session,
    sessions,
    title_line,
)
from bench.service import Service
from bench.wrk import Load, Plan

#: Requests before each run that start a script's workers: more than there may be.
WARMING = 16
HALF = 0.5
#: Functions for the sessions that are opened, so that writes spread over more than one row.
TITLES = 64
JSON = {"Content-Type": "application/json"}
#: The servers that an execution is compared with.
REFERENCES = ("yardstick", "constant")
Params = Mapping[str, object] | None
#: What wrk looks for in the answers of initialize.
INITIALIZED = '"status": *"(initialized)"'


@dataclass(frozen=True)
class Execute(Scenario):
    """Executing one script that answers its `n` plus one.

    Args:
        fresh: share of requests with new params; the results of the others are cached.
        known: number of different params of the others.
        padding: bytes of params besides.
        full: the scenario whose throughput is halved here; empty: as many requests as possible.
        by_name: execute the function and not a session of it.
    """

    script: str
    fresh: float = 0.0
    known: int = 1
    padding: int = 0
    full: str = ""
    by_name: bool = False
    yardsticks: tuple[str, ...] = REFERENCES

    @property
    def references(self) -> tuple[str, ...]:
        return (*self.yardsticks, self.full) if self.full else self.yardsticks

    def prepare(self, bench: Bench) -> Run:
        begin_with = function if self.by_name else session
        path = begin_with(bench.service, self.language, self.script)
        params: dict[str, object] = {"padding": "x" * self.padding} if self.padding else {}
        plan = execution(bench.service, [path], self.fresh, self.known, params)
        return lambda begin: loaded(bench, replace(plan.anew(), pause=self._pause(bench)), begin)

    def _pause(self, bench: Bench) -> int:
        """Milliseconds of a client between an answer and its next request."""
        if not self.full:
            return 0
        turn = 1000 * bench.scale.clients / (bench.latest[self.full]["rps"] * HALF)
        return max(round(turn - bench.latest.get(self.name, {}).get("p50", 0.0)), 1)


@dataclass(frozen=True)
class Rotation(Scenario):
    """Executing in many sessions in turn, each with another script: far more than there may be workers."""

    warm: str
    """The scenario of one script that is always warm."""

    @property
    def references(self) -> tuple[str, ...]:
        return (*REFERENCES, self.warm)

    def prepare(self, bench: Bench) -> Run:
        scale = bench.scale
        number = scale.compiled_sessions if self.language == "rust" else scale.sessions
        plan = execution(bench.service, sessions(bench.service, self.language, number), fresh=1.0)

        def run(begin: Begin) -> Load:
            begin()
            load = bench.wrk(bench.service.port, plan.anew(), scale.seconds, scale.clients)
            ratio = load.p95 / bench.latest[self.warm]["p50"]
            return replace(load, more=load.more | {"p95 / warm p50": ratio})

        return run


@dataclass(frozen=True)
class Server(Scenario):
    """A server beside the service, with the same answer or a constant."""

    port: Callable[[Service], int]
    fresh: float = 1.0

    def prepare(self, bench: Bench) -> Run:
        before, counts = '{"params": {"n": ', self.fresh > 0
        plan = Plan(["/"], JSON, before, "}}", fresh=self.fresh, counts=counts)

        def run(begin: Begin) -> Load:
            begin()
            port = self.port(bench.service)
            return bench.wrk(port, plan.anew(), bench.scale.seconds, bench.scale.clients)

        return run


@dataclass(frozen=True)
class Initialize(Scenario):
    """Opening sessions of one script, or of a new script each time."""

    new: bool

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
            answer=INITIALIZED,
            counts=False,
        )
        return lambda begin: loaded(bench, plan.anew(), begin, warming=0)


def execution(
    service: Service, paths: Sequence[str], fresh: float, known: int = 1, params: Params = None
) -> Plan:
    """Executions with a number as `n` and further params that are always the same."""
    before, after = json.dumps({"params": {**(params or {}), "n": 0}}).rsplit("0", 1)
    return Plan(paths, service.headers | JSON, before, after, fresh=fresh, known=known)


def loaded(bench: Bench, plan: Plan, begin: Begin, warming: int = WARMING) -> Load:
    """Ask once for all known numbers, and for some fresh ones that start workers; then measure."""
    first = plan.first - (warming if plan.fresh else 0)
    burst(bench.service, map(plan.request, range(first, plan.first + plan.known)))
    begin()
    return bench.wrk(bench.service.port, plan, bench.scale.seconds, bench.scale.clients)
