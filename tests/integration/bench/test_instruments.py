"""The bench's instruments: the load tells right answers from others, and a meter what processes cost."""

import json
import re
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from bench.service import Meter
from bench.wrk import Plan, Wrk
from local.supervisor.ports import LOOPBACK

PLAN = Plan(paths=["/one", "/two"], headers={"X-Probe": "yes"}, before='{"n": ', after="}")
_LENGTH = re.compile(rb"Content-Length: (\d+)")


def answer(status: int, document: object) -> bytes:
    body = json.dumps(document).encode()
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


@contextmanager
def serving(reply: Callable[[str, int], bytes]) -> Iterator[int]:
    """A server that answers what `reply` makes of a request's head and number; nothing: it closes."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            # At its end the client leaves in the middle of whatever it does.
            with suppress(ConnectionError):
                while asked := self._request():
                    reply_ = reply(*asked)
                    if not reply_:
                        return
                    self.wfile.write(reply_)

        def _request(self) -> tuple[str, int] | None:
            """Head and number of the next request; None after the last whole one."""
            head = b""
            while (line := self.rfile.readline()) != b"\r\n":
                if not line.endswith(b"\n"):
                    return None
                head += line
            found = _LENGTH.search(head)
            assert found is not None
            size = int(found.group(1))
            body = self.rfile.read(size)
            return (head.decode(), json.loads(body)["n"]) if len(body) == size else None

    server = socketserver.ThreadingTCPServer((LOOPBACK, 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("fresh", [0.0, 0.5, 1.0])
def test_right_answers_are_no_errors(load: Wrk, fresh: float) -> None:
    heads, numbers = set(), set()

    def reply(head: str, number: int) -> bytes:
        heads.add(head.splitlines()[0])
        numbers.add(number)
        return answer(200, {"result": number + 1}) if "X-Probe: yes" in head else b""

    plan = Plan(PLAN.paths, PLAN.headers, PLAN.before, PLAN.after, fresh=fresh, known=3)
    with serving(reply) as port:
        seen = load(port, plan, seconds=1, clients=2)

    assert (seen.refused, seen.wrong, seen.broken) == (0, 0, 0)
    assert seen.requests > 3
    assert heads == {"POST /one HTTP/1.1", "POST /two HTTP/1.1"}
    known = numbers & {plan.first, plan.first + 1, plan.first + 2}
    assert bool(known) == (fresh < 1)
    assert bool(numbers - known) == (fresh > 0)


def test_each_kind_of_error_is_counted(load: Wrk) -> None:
    replies: dict[int, Callable[[int], bytes]] = {
        0: lambda n: answer(200, {"result": n + 1}),
        1: lambda n: answer(200, {"result": n + 2}),
        2: lambda n: answer(200, {"something": "else"}),
        3: lambda n: answer(503, {"result": n + 1}),
        4: lambda n: b"",
    }
    with serving(lambda head, number: replies[number % 5](number)) as port:
        seen = load(port, Plan(["/"], {}, PLAN.before, PLAN.after, fresh=1.0), seconds=1, clients=2)

    assert seen.wrong > 0
    assert seen.refused > 0
    assert seen.broken > 0
    assert seen.wrong + seen.refused < seen.requests


def test_an_answer_is_right_once(load: Wrk) -> None:
    seen_first: list[int] = []

    def reply(head: str, number: int) -> bytes:
        seen_first.append(number)
        return answer(200, {"result": seen_first[0] + 1})

    with serving(reply) as port:
        seen = load(port, Plan(["/"], {}, PLAN.before, PLAN.after, fresh=1.0), seconds=1, clients=1)

    assert seen.wrong == seen.requests - 1


#: Each line is a thing to do, acknowledged when it is done.
PROGRAM = """
import os, subprocess, sys, time
def burn():
    while time.process_time() < 0.3: pass
kept = []
for line in sys.stdin:
    if line == "burn\\n":
        burn()
    elif line == "grow\\n":
        kept.append(b"x" * (64 << 20))
    elif line == "child\\n":
        subprocess.run([sys.executable, "-c", "import time\\nwhile time.process_time() < 0.3: pass"])
    print("done", flush=True)
"""


class Puppet:
    """A process that does as it is told."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.pid = process.pid
        self._process = process

    def do(self, what: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        self._process.stdout.readline()


@contextmanager
def puppet() -> Iterator[Puppet]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield Puppet(process)
    finally:
        process.communicate()


def test_cpu_of_a_process_and_of_children_that_are_gone() -> None:
    with puppet() as busy, puppet() as idle:
        meter = Meter({"busy": [busy.pid], "idle": [idle.pid]})
        before = meter.cpu()

        busy.do("burn")
        own = meter.cpu()
        busy.do("child")
        both = meter.cpu()

    assert own["busy"] - before["busy"] > 0.1
    assert both["busy"] - own["busy"] > 0.25
    assert both["idle"] - before["idle"] < 0.1


def test_memory() -> None:
    with puppet() as process:
        meter = Meter({"part": [process.pid]})
        before = meter.pss()["part"]
        process.do("grow")

        assert meter.pss()["part"] - before > 60
        assert meter.peak()["part"] > 64
