"""Opening sessions, and executing in them, as scenarios need it beforehand."""

import json
from collections.abc import Iterable, Sequence
from itertools import islice

import gevent

from bench.connection import Connection
from bench.scenarios.scenario import expect_ok
from bench.scripts import new_scripts
from bench.service import Service
from bench.wrk import Plan

EXECUTE = "/api/v1/execute/"
INITIALIZE = "/api/v1/initialize"
#: Clients of a burst: so many workers of one script it makes the runtime start at most.
BURST_CLIENTS = 16
#: Clients that open sessions: no more than there are compilers on a small machine, which else refuse some.
INITIALIZING = 2
#: Far from taking long in any language.
FEWEST_LOOPS = 10_000


def title_line(language: str) -> dict[str, str]:
    """The header that says what a script is called."""
    return {"Language-Title": f"{language}-bench"}


def title_lines(language: str) -> str:
    """The same for `Connection.post`."""
    return "".join(f"\r\n{name}: {value}" for name, value in title_line(language).items())


def initialize(connection: Connection, language: str, script: str) -> str:
    """Open a session; returns the path to execute in it. Raises UnexpectedAnswer."""
    body = json.dumps({"script_content": script}).encode()
    document = json.loads(expect_ok(connection.post(INITIALIZE, body, title_lines(language))))
    return EXECUTE + str(document["request_id"])


def session(service: Service, language: str, script: str) -> str:
    """Open a session over a connection of its own; returns the path to execute in it. Raises UnexpectedAnswer."""
    connection = service.connect()
    try:
        return initialize(connection, language, script)
    finally:
        connection.close()


def sessions(service: Service, language: str, number: int) -> list[str]:
    """Open so many sessions, each with a script of its own; returns the paths. Raises UnexpectedAnswer."""
    scripts = islice(new_scripts(language, "rotation"), number)
    paths: list[str] = []

    def work() -> None:
        connection = service.connect(cooperative=True)
        for script in scripts:
            paths.append(initialize(connection, language, script))
        connection.close()

    gevent.joinall([gevent.spawn(work) for _ in range(INITIALIZING)], raise_error=True)
    return paths


def burst(port: int, plan: Plan, numbers: Iterable[int]) -> None:
    """Ask the plan's first path for each of the numbers, from several clients at once. Raises UnexpectedAnswer."""
    waiting = list(numbers)

    def work() -> None:
        connection = Connection(port, plan.headers, cooperative=True)
        while waiting:
            expect_ok(connection.post(plan.paths[0], plan.body(waiting.pop())))
        connection.close()

    clients = [gevent.spawn(work) for _ in range(min(BURST_CLIENTS, len(waiting)))]
    gevent.joinall(clients, raise_error=True)


def visit(service: Service, paths: Sequence[str]) -> None:
    """Execute in each of the sessions, from several clients at once. Raises UnexpectedAnswer."""
    waiting = list(paths)

    def work() -> None:
        connection = service.connect(cooperative=True)
        while waiting:
            expect_ok(connection.post(waiting.pop(), b'{"params": {"n": 1}}'))
        connection.close()

    gevent.joinall([gevent.spawn(work) for _ in range(BURST_CLIENTS)], raise_error=True)


def loops(service: Service, path: str, milliseconds: float) -> int:
    """How many loops keep a busy script at work for so long, here and now. Raises UnexpectedAnswer."""
    connection = service.connect()
    tried, took = FEWEST_LOOPS, 0.0
    while took < milliseconds:
        tried *= 2
        body = json.dumps({"params": {"loops": tried, "n": 1}}).encode()
        took = json.loads(expect_ok(connection.post(path, body)))["execution_time"]
    connection.close()
    return round(tried * milliseconds / took)
