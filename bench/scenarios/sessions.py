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
#: Executions of which the fastest counts.
TRIES = 10


def title_line(language: str, title: str = "bench") -> str:
    """The header that says what a script is called, with its end of line."""
    return f"Language-Title: {language}-{title}\r\n"


def initialize(connection: Connection, language: str, script: str) -> str:
    """Open a session; returns the path to execute in it. Raises UnexpectedAnswer."""
    body = json.dumps({"script_content": script}).encode()
    document = json.loads(expect_ok(connection.post(INITIALIZE, body, title_line(language))))
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
            expect_ok(connection.post(plan.paths[0], plan.body(waiting.pop()), plan.lines[0]))
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
    """How many loops keep a busy script at work for so long, once it is warm. Raises UnexpectedAnswer."""
    connection = service.connect()
    tried, took = FEWEST_LOOPS, 0.0
    while took < milliseconds:
        tried *= 2
        body = json.dumps({"params": {"loops": tried, "n": 1}}).encode()
        # A compiler comes into play after a while, and others may be at work here now and then.
        took = min(_execution_time(connection, path, body) for _ in range(TRIES))
    connection.close()
    return round(tried * milliseconds / took)


def _execution_time(connection: Connection, path: str, body: bytes) -> float:
    answer = connection.post(path, body, "X-Cache-Control: no-cache\r\n")
    return float(json.loads(expect_ok(answer))["execution_time"])
