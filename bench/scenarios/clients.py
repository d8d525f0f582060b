"""Scenarios about many connections: whether each gets its share, and what those cost that only wait."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import gevent

from bench.load import Load, Tally
from bench.scenarios.client import Client
from bench.scenarios.scenario import Bench, Run
from bench.scenarios.sessions import session
from bench.scripts import TRIVIAL

#: Connections that ask at once.
BATCH = 100
#: Requests a second of all connections together, and the share of those that make them.
RATE = 200
ACTIVE = 0.01
#: The share of the time in which nobody asks for anything.
IDLE = 1 / 6


@dataclass(frozen=True)
class Fairness:
    """Clients who ask without a pause. `slowest share`: what the slowest gets of the average."""

    name: str
    title: str
    fresh: bool
    clients: int = 64
    language: str = "python"
    references: tuple[str, ...] = ()

    def prepare(self, bench: Bench) -> Run:
        path = session(bench.service, self.language, TRIVIAL[self.language])
        first = 0

        def run(begin: Callable[[], None]) -> Load:
            nonlocal first
            first += 1_000_000
            tally = Tally()
            clients = [Client(bench.service, path, tally) for _ in range(self.clients)]
            begin()
            started = perf_counter()
            end = started + bench.scale.seconds
            greenlets = [
                gevent.spawn(self._work, client, first + n * 10_000, end) for n, client in enumerate(clients)
            ]
            gevent.joinall(greenlets, raise_error=True)
            answers = [client.answers for client in clients]
            share = min(answers) * len(answers) / max(sum(answers), 1)
            for client in clients:
                client.close()
            return tally.load(perf_counter() - started, **{"slowest share": share})

        return run

    def _work(self, client: Client, number: int, end: float) -> None:
        while perf_counter() < end:
            client.execute(number)
            number += self.fresh


@dataclass(frozen=True)
class IdleConnections:
    """Thousands of connections of which few ask for anything until, at the end, each does once."""

    name: str
    title: str
    language: str = "python"
    references: tuple[str, ...] = ()

    def prepare(self, bench: Bench) -> Run:
        path = session(bench.service, self.language, TRIVIAL[self.language])

        def run(begin: Callable[[], None]) -> Load:
            tally = Tally()
            clients = [Client(bench.service, path, tally) for _ in range(bench.scale.connections)]
            hold = bench.scale.hold
            idle = _controller_share(bench, lambda: gevent.sleep(hold * IDLE))
            begin()
            started = perf_counter()
            active = clients[:: round(1 / ACTIVE)]
            busy = _controller_share(bench, lambda: _pace(active, hold * (1 - IDLE)))
            memory = bench.service.meter.pss()["controller"]
            for batch in range(0, len(clients), BATCH):
                _ask(clients[batch : batch + BATCH])
            load = tally.load(
                perf_counter() - started,
                **{"idle cpu %": idle, "busy cpu %": busy, "pss controller": memory},
            )
            for client in clients:
                client.close()
            return load

        return run


def _ask(clients: Sequence[Client]) -> None:
    gevent.joinall([gevent.spawn(client.execute, 1) for client in clients], raise_error=True)


def _pace(clients: Sequence[Client], seconds: float) -> None:
    """Each asks now and then, so that they make RATE together."""
    pause = len(clients) / RATE
    end = perf_counter() + seconds

    def work(client: Client, wait: float) -> None:
        gevent.sleep(wait)
        while perf_counter() < end:
            due = perf_counter() + pause
            client.execute(1)
            gevent.sleep(max(0.0, due - perf_counter()))

    greenlets = [gevent.spawn(work, client, n / RATE) for n, client in enumerate(clients)]
    gevent.joinall(greenlets, raise_error=True)


def _controller_share(bench: Bench, work: Callable[[], None]) -> float:
    """What the controller uses of one core meanwhile, in percent."""
    meter = bench.service.meter
    started, before = perf_counter(), meter.cpu()["controller"]
    work()
    return (meter.cpu()["controller"] - before) / (perf_counter() - started) * 100
