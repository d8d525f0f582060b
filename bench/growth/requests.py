"""The requests whose cost is measured while something becomes more."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import cycle, islice
from time import perf_counter, process_time
from zlib import crc32

from msgspec import Raw

from bench.connection import Answer, Connection
from bench.growth.ground import LANGUAGE, Ground
from bench.load import Load, Tally
from bench.scenarios.requests import JSON, WARMING, Initialize, execution
from bench.scenarios.scenario import Run, expect_ok
from bench.scenarios.sessions import INITIALIZE, burst, session, sessions, title_line
from bench.wrk import Plan
from controller.observability.correlation import Trace
from controller.runtimes.client import RuntimeClient
from controller.runtimes.selector import Route
from controller.runtimes.transport.balancer import Balancer
from controller.runtimes.transport.balancer import ranked as in_order
from local.supervisor.ports import LOOPBACK

FUNCTIONS = "/api/v1/functions/"
#: A script that answers as much as it is asked for.
ECHO = "def handle(params):\n    return [params['n'] + 1, 'x' * params['size']]\n"
#: What wrk looks for in answers.
INITIALIZED = '"status": *"(initialized)"'
ECHOED = '"result": *%[(%d+)'
#: As in `controller.app`, by default.
CONNECTIONS, FAILURES, PAUSE, TIMEOUT = 64, 5, 10.0, 10.0


def nothing() -> None:
    """What is done before a run that needs nothing."""


def cached(ground: Ground, size: int, before: Callable[[], None] = nothing) -> Run:
    """Executing in any session what was executed before. Their script is the same, and so is its kept result."""
    return _executed(ground, execution(ground.service, _shuffled(ground.paths), fresh=0.0), before)


def warm(ground: Ground, size: int) -> Run:
    return _executed(ground, execution(ground.service, _shuffled(ground.paths), fresh=1.0))


def padded(ground: Ground, size: int) -> Run:
    return _executed(ground, execution(ground.service, [ground.path], 1.0, params={"padding": "x" * size}))


def echoed(ground: Ground, size: int) -> Run:
    path = session(ground.service, LANGUAGE, ECHO)
    plan = execution(ground.service, [path], 1.0, params={"size": size})
    return _executed(ground, replace(plan, answer=ECHOED))


def rotated(ground: Ground, size: int) -> Run:
    """Executing so many scripts in turn, each of which has a worker."""
    paths = sessions(ground.service, LANGUAGE, size)
    plan = execution(ground.service, paths, fresh=1.0)
    connection = ground.service.connect()
    for path in paths:
        expect_ok(connection.post(path, plan.body(plan.first)))
    connection.close()
    return _executed(ground, plan)


def initialized(ground: Ground, size: int) -> Run:
    return Initialize("", "", LANGUAGE, new=False).prepare(ground.bench)


def by_title(ground: Ground, size: int) -> Run:
    """Opening sessions of functions that are registered, none of them twice in a row."""
    plan = Plan(
        paths=[INITIALIZE],
        headers=ground.service.headers | JSON,
        lines=[title_line(LANGUAGE, title) for title in _shuffled(ground.titles)],
        before='{"context": {"n": ',
        after="}}",
        answer=INITIALIZED,
        counts=False,
    )
    return _executed(ground, plan)


def function_page(ground: Ground, size: int) -> Run:
    return _one_by_one(ground, [f"{FUNCTIONS}?per_page=20"], Connection.get)


def status(ground: Ground, size: int) -> Run:
    path = ground.path.replace("/execute/", "/sessions/")
    return _one_by_one(ground, [path], Connection.get)


def ranked(ground: Ground, size: int) -> Run:
    """Calling the runtime as the controller does, one of so many addresses. All others would refuse a connection."""
    known = ground.session
    key = f"{known.user_id}\0{known.script_hash}"
    here = f"http://{LOOPBACK}:{ground.service.runtimes[LANGUAGE].port}"
    others = (f"http://{LOOPBACK}:1/{number}" for number in range(10_000))
    behind = islice((other for other in others if in_order((other, here), key)[0] == here), size - 1)
    route = Route(LANGUAGE, (here, *behind))
    client = RuntimeClient(Balancer(CONNECTIONS, FAILURES, PAUSE), ground.service.runtime_secret, TIMEOUT)
    trace = Trace("bench", None, None)

    def run(begin: Callable[[], None]) -> Load:
        tally = Tally()
        begin()
        started, spent = perf_counter(), process_time()
        for number in range(ground.bench.scale.times):
            asked = perf_counter()
            done = client.run(route, known, Raw(b'{"n": %d}' % number), trace)
            tally.took.append((perf_counter() - asked) * 1000)
            tally.wrong += bytes(done.result) != b"%d" % (number + 1)
        spent = process_time() - spent
        return tally.load(perf_counter() - started, **{"cpu client": spent / len(tally.took) * 1e6})

    return run


def _executed(ground: Ground, plan: Plan, before: Callable[[], None] = nothing) -> Run:
    bench = ground.bench

    def run(begin: Callable[[], None]) -> Load:
        anew = plan.anew()
        burst(bench.service.port, anew, range(anew.first - (WARMING if plan.fresh else 0), anew.first + 1))
        before()
        begin()
        return bench.wrk(bench.service.port, anew, bench.scale.seconds, bench.scale.clients)

    return run


def _one_by_one(ground: Ground, subjects: Sequence[str], ask: Callable[[Connection, str], Answer]) -> Run:
    """One client asks about the subjects in turn, always where it left off."""
    turn: Iterator[str] = cycle(subjects)

    def run(begin: Callable[[], None]) -> Load:
        tally = Tally()
        begin()
        connection = ground.service.connect()
        started = perf_counter()
        for subject in islice(turn, ground.bench.scale.times):
            asked = perf_counter()
            expect_ok(ask(connection, subject))
            tally.took.append((perf_counter() - asked) * 1000)
        load = tally.load(perf_counter() - started)
        connection.close()
        return load

    return run


def _shuffled(values: Sequence[str]) -> list[str]:
    """In an order that has nothing to do with when they were made."""
    return sorted(values, key=lambda value: crc32(value.encode()))
