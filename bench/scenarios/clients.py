"""Scenarios with our own client, for what wrk cannot tell: each connection's share, first runs, idle connections."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from time import perf_counter

import gevent

from bench.connection import Answer, Connection
from bench.scenarios.scenario import (
    INITIALIZE,
    TRIVIAL,
    Begin,
    Bench,
    Run,
    Scenario,
    initialize,
    new_scripts,
    session,
    title_line,
)
from bench.wrk import Load, Tally

#: Connections that ask together.
BATCH = 100
#: Requests a second of all active connections together, and the share of connections that are active.
RATE = 200
ACTIVE = 0.01
#: The share of the time without any request.
IDLE = 1 / 6


class Client:
    """Executes over one connection, one request at a time, and counts the answers in `tally`."""

    def __init__(self, connection: Connection, path: str, tally: Tally) -> None:
        self._connection = connection
        self._path = path
        self._tally = tally
        self.answers = 0

    def execute(self, number: int, path: str = "") -> None:
        """Send a number. The right answer is one more."""
        body = b'{"params": {"n": %d}}' % number
        self._count(partial(self._connection.post, path or self._path, body), {"result": number + 1})

    def initialize(self, headers: str, script: str) -> None:
        body = json.dumps({"script_content": script}).encode()
        self._count(partial(self._connection.post, INITIALIZE, body, headers), {"status": "initialized"})

    def read(self) -> None:
        self._count(partial(self._connection.get, self._path), {})

    def work(self, begin: Begin, requests: Iterable[Callable[[], None]]) -> Load:
        """Make the requests, one after the other, and close the connection."""
        begin()
        started = perf_counter()
        for request in requests:
            request()
        self.close()
        return self._tally.load(perf_counter() - started)

    def close(self) -> None:
        self._connection.close()

    def _count(self, ask: Callable[[], Answer], expected: dict[str, object]) -> None:
        started = perf_counter()
        try:
            answer = ask()
        except OSError:
            self._tally.broken += 1
            return
        took = (perf_counter() - started) * 1000
        if answer.status != 200:
            self._tally.refused += 1
        elif expected.items() <= json.loads(answer.body).items():
            self.answers += 1
            self._tally.took.append(took)
        else:
            self._tally.wrong += 1


@dataclass(frozen=True)
class NewScripts(Scenario):
    """One client that initializes new scripts, one after the other, or executes each of them for the first time."""

    execute: bool

    def prepare(self, bench: Bench) -> Run:
        scripts, title = new_scripts(self.language, self.name), title_line(self.language)
        times = bench.scale.compilations if self.language == "rust" else bench.scale.times

        def run(begin: Begin) -> Load:
            connection, new = bench.service.connect(), islice(scripts, times)
            client = Client(connection, "", Tally())
            if not self.execute:
                return client.work(begin, [partial(client.initialize, title, script) for script in new])
            paths = [initialize(connection, self.language, script) for script in new]
            return client.work(begin, [partial(client.execute, 1, path) for path in paths])

        return run


@dataclass(frozen=True)
class FreshProcesses(Scenario):
    """One client that executes, one call after the other, in a session where each execution has a new process."""

    def prepare(self, bench: Bench) -> Run:
        path = session(bench.service, self.language, TRIVIAL[self.language], isolation="execution")
        numbers = count()

        def run(begin: Begin) -> Load:
            client = Client(bench.service.connect(), path, Tally())
            new = islice(numbers, bench.scale.times)
            return client.work(begin, [partial(client.execute, number) for number in new])

        return run


@dataclass(frozen=True)
class Fairness(Scenario):
    """Clients that ask without a pause. `slowest share`: answers of the slowest client over the average."""

    fresh: bool
    clients: int = 64

    def prepare(self, bench: Bench) -> Run:
        path = session(bench.service, self.language, TRIVIAL[self.language])
        first = 0

        def run(begin: Begin) -> Load:
            nonlocal first
            first += 1_000_000
            tally = Tally()
            with _clients(bench, path, tally, self.clients) as clients:
                begin()
                started = perf_counter()
                end = started + bench.scale.seconds
                _together(
                    partial(self._work, each, first + n * 10_000, end) for n, each in enumerate(clients)
                )
                answers = [client.answers for client in clients]
            share = min(answers) * len(answers) / max(sum(answers), 1)
            return tally.load(perf_counter() - started, **{"slowest share": share})

        return run

    def _work(self, client: Client, number: int, end: float) -> None:
        while perf_counter() < end:
            client.execute(number)
            number += self.fresh


@dataclass(frozen=True)
class IdleConnections(Scenario):
    """Thousands of connections, a few of them active, until at the end each one asks once."""

    def prepare(self, bench: Bench) -> Run:
        path = session(bench.service, self.language, TRIVIAL[self.language])
        hold = bench.scale.hold

        def run(begin: Begin) -> Load:
            tally = Tally()
            with _clients(bench, path, tally, bench.scale.connections) as clients:
                idle = _controller_share(bench, lambda: gevent.sleep(hold * IDLE))
                begin()
                started = perf_counter()
                active = clients[:: round(1 / ACTIVE)]
                figures = {"idle cpu %": idle}
                figures["busy cpu %"] = _controller_share(bench, lambda: _pace(active, hold * (1 - IDLE)))
                figures["pss controller"] = bench.service.meter.pss()["controller"]
                for batch in range(0, len(clients), BATCH):
                    _together(partial(client.execute, 1) for client in clients[batch : batch + BATCH])
                return tally.load(perf_counter() - started, **figures)

        return run


@contextmanager
def _clients(bench: Bench, path: str, tally: Tally, number: int) -> Iterator[list[Client]]:
    clients = [Client(bench.service.connect(cooperative=True), path, tally) for _ in range(number)]
    yield clients
    for client in clients:
        client.close()


def _together(works: Iterable[Callable[[], None]]) -> None:
    gevent.joinall([gevent.spawn(work) for work in works], raise_error=True)


def _pace(clients: Sequence[Client], seconds: float) -> None:
    """The clients ask now and then, RATE times a second together."""
    pause = len(clients) / RATE
    end = perf_counter() + seconds

    def work(client: Client, wait: float) -> None:
        gevent.sleep(wait)
        while perf_counter() < end:
            due = perf_counter() + pause
            client.execute(1)
            gevent.sleep(max(0.0, due - perf_counter()))

    _together(partial(work, client, n / RATE) for n, client in enumerate(clients))


def _controller_share(bench: Bench, work: Callable[[], None]) -> float:
    """Percent of one core that the controller uses during `work`."""
    meter = bench.service.meter
    started, before = perf_counter(), meter.cpu()["controller"]
    work()
    return (meter.cpu()["controller"] - before) / (perf_counter() - started) * 100
