"""Scenarios that one client makes, one request after the other: what a script costs before it is warm."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

from bench.load import Load, Tally
from bench.scenarios.client import Client
from bench.scenarios.scenario import Bench, Run
from bench.scenarios.sessions import initialize, title_line
from bench.scripts import new_scripts


@dataclass(frozen=True)
class FirstExecution:
    """The first execution of a session whose script nobody has executed before."""

    name: str
    title: str
    language: str
    references: tuple[str, ...] = ()

    def prepare(self, bench: Bench) -> Run:
        scripts = new_scripts(self.language, self.name)
        times = bench.scale.compilations if self.language == "rust" else bench.scale.times

        def run(begin: Callable[[], None]) -> Load:
            connection = bench.service.connect()
            paths = [initialize(connection, self.language, next(scripts)) for _ in range(times)]
            connection.close()
            tally = Tally()
            client = Client(bench.service, "", tally, cooperative=False)
            begin()
            started = perf_counter()
            for path in paths:
                client.execute(1, path)
            load = tally.load(perf_counter() - started)
            client.close()
            return load

        return run


@dataclass(frozen=True)
class Compile:
    """Initializing ever new scripts of a compiled language."""

    name: str
    title: str
    language: str
    references: tuple[str, ...] = ()

    def prepare(self, bench: Bench) -> Run:
        scripts = new_scripts(self.language, self.name)

        def run(begin: Callable[[], None]) -> Load:
            tally = Tally()
            client = Client(bench.service, "", tally, cooperative=False)
            begin()
            started = perf_counter()
            for _ in range(bench.scale.compilations):
                client.initialize(title_line(self.language), next(scripts))
            load = tally.load(perf_counter() - started)
            client.close()
            return load

        return run
