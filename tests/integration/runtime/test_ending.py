"""The end of a runtime behind its real server: by SIGTERM, by SIGKILL, and of single processes."""

import hashlib
import os
import signal
import socket
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import requests

from local.services import Parts
from local.settings import Settings
from local.state import State
from local.supervisor.account import remove
from local.supervisor.proc import born, children, command_line
from local.supervisor.python_server import HttpServer
from tests.processes import Process, alive, below
from tests.waiting import until

PATH = "/runtime/python/test"
PID = "import os\ndef handle(params):\n    return os.getpid()\n"
SLEEPING = "import time\ndef handle(params):\n    time.sleep(params['s'])\n    return 'x' * 100_000\n"
#: Seconds for which the shutdown waits for running calls.
GRACE = 3


class Runtime:
    """A Python runtime as `make run` starts it, with a state folder that several may share."""

    def __init__(self, state: State, number: int) -> None:
        settings = replace(Settings.on_free_ports(runtime={"WORKERS_RESERVE": "1"}), grace=GRACE)
        self._secret = state.secret("RUNTIME_SECRET")
        parts = Parts(state, settings, state.code(), None)
        self.part: HttpServer = parts.runtime("python", "node")
        self.part.name = f"{self.part.name}-{number}"
        self._address = f"http://127.0.0.1:{self.part.port}{PATH}"
        self.part.start()

    def run(self, script: str, timeout_ms: int = 2000, **params: Any) -> requests.Response:
        """Run a script once, on a new connection."""
        call = self.call(script, timeout_ms, **params)
        return requests.Session().send(call, timeout=60)

    def call(self, script: str, timeout_ms: int = 2000, **params: Any) -> requests.PreparedRequest:
        """Return the body that `run` sends."""
        script_hash = hashlib.sha256(script.encode()).hexdigest()
        reference = {"tenant": "t1", "script_hash": script_hash, "script_content": script}
        body = {"request_id": "r1", "params": params, "context": {}, "timeout_ms": timeout_ms}
        headers = {"X-Runtime-Secret": self._secret}
        return requests.Request("POST", self._address, headers, json=reference | body).prepare()

    def busy(self) -> bool:
        workers: Any = self.part.health()["workers"]
        return bool(workers["busy"])

    def processes(self) -> list[Process]:
        """All its processes: the server, the fork server, the workers."""
        found = [(self.part.pid, born(self.part.pid)), *below(self.part.pid)]
        return [each for each in found if each[1]]


def fork_server_of(processes: list[Process]) -> int:
    """Return the first process with this command line; its forks have the same."""
    return next(pid for pid in alive(processes) if "runtime.process.forkserver" in command_line(pid))


def kill(pids: Iterable[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


class Machine:
    """Starts runtimes that share one state folder."""

    def __init__(self, folder: Path) -> None:
        self.state = State(folder)
        self._started: list[Runtime] = []

    def start(self) -> Runtime:
        self._started.append(Runtime(self.state, len(self._started)))
        return self._started[-1]

    def folders(self) -> set[Path]:
        """The folder of each runtime, which contains the private folders of its workers."""
        return set(self.state.folder.glob("runtime-python/workers-*"))

    def stop(self) -> None:
        for runtime in self._started:
            runtime.part.stop()


@pytest.fixture
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("machine") / "state"
    made = Machine(folder)
    yield made
    made.stop()
    remove(folder)


@pytest.fixture
def later() -> Iterator[Callable[..., "Future[requests.Response]"]]:
    """Make a call in another thread."""
    with ThreadPoolExecutor(4) as threads:
        yield threads.submit


Later = Callable[..., "Future[requests.Response]"]


def test_sigterm_finishes_running_calls_and_leaves_nothing(machine: Machine, later: Later) -> None:
    runtime = machine.start()
    runtime.run(PID)
    call = later(runtime.run, SLEEPING, s=1)
    until(runtime.busy, "the script runs")
    processes = runtime.processes()
    assert len(alive(processes)) >= 4
    assert len(machine.folders()) == 1
    runtime.part.ask_to_stop()
    answer = call.result()
    assert (answer.status_code, answer.json()["result"]) == (200, "x" * 100_000)
    runtime.part.stop()
    assert alive(processes) == []
    assert machine.folders() == set()


@pytest.mark.parametrize(
    ("timeout_ms", "status", "code"),
    [(1000, 504, "TIMEOUT"), (60_000, 503, "RUNTIME_UNAVAILABLE")],
    ids=["its deadline", "the server's patience"],
)
def test_a_call_that_does_not_finish_in_time_is_killed_and_answered(
    machine: Machine, later: Later, timeout_ms: int, status: int, code: str
) -> None:
    runtime = machine.start()
    call = later(runtime.run, SLEEPING, timeout_ms=timeout_ms, s=60)
    until(runtime.busy, "the script runs")
    processes = runtime.processes()
    runtime.part.stop()
    answer = call.result()
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert alive(processes) == []
    assert machine.folders() == set()


def test_after_sigterm_new_work_is_refused(machine: Machine, later: Later) -> None:
    runtime = machine.start()
    call = later(runtime.run, SLEEPING, s=1.5)
    until(runtime.busy, "the script runs")
    late = runtime.call(PID)
    with socket.create_connection(("127.0.0.1", runtime.part.port)) as begun:
        begun.sendall(f"POST {PATH} HTTP/1.1\r\n".encode())
        until(runtime.busy, "the server has seen that it begins")
        runtime.part.ask_to_stop()
        until(lambda: _refuses(runtime), "new connections are refused")
        headers = "".join(f"{name}: {value}\r\n" for name, value in late.headers.items())
        begun.sendall(f"Host: x\r\n{headers}\r\n".encode() + cast(bytes, late.body))
        answer = begun.recv(65536)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b'"RUNTIME_UNAVAILABLE"' in answer
    assert call.result().status_code == 200


def test_the_fork_server_cleans_up_after_a_killed_front(machine: Machine) -> None:
    runtime = machine.start()
    runtime.run(PID)
    processes = runtime.processes()
    fork_server = fork_server_of(processes)
    kill(set(alive(processes)) - {fork_server, *children(fork_server)})
    until(lambda: alive(processes) == [], "every process has ended")
    assert machine.folders() == set()


def test_the_next_start_cleans_up_after_a_killed_fork_server(machine: Machine) -> None:
    living = machine.start()
    pid, kept = living.run(PID).json()["result"], machine.folders()
    killed = machine.start()
    killed.run(PID)
    processes = killed.processes()
    fork_server = fork_server_of(processes)
    os.kill(fork_server, signal.SIGSTOP)  # so that it does not clear up
    kill([*(pid for pid in alive(processes) if pid != fork_server), fork_server])
    until(lambda: alive(processes) == [], "every process has ended")
    left = machine.folders() - kept
    assert len(left) == 1
    started = machine.start()
    assert not left & machine.folders()
    assert kept < machine.folders()
    assert living.run(PID).json()["result"] == pid
    assert started.run(PID).status_code == 200


def test_a_worker_killed_between_two_calls_is_replaced_silently(machine: Machine) -> None:
    runtime = machine.start()
    for _ in range(8):
        pid = runtime.run(PID).json()["result"]
        os.kill(pid, signal.SIGKILL)
        # At once: the runtime has not heard of it yet.
        answer = runtime.run(PID)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["result"] != pid, answer.json()["cold"]) == (True, True)


def test_a_fork_server_that_was_killed_is_replaced(machine: Machine) -> None:
    runtime = machine.start()
    pid = runtime.run(PID).json()["result"]
    before = runtime.processes()
    fork_server, folders = fork_server_of(before), machine.folders()
    kill([fork_server])
    until(lambda: not {fork_server, pid} & set(alive(before)), "it and its workers ended")
    answer = runtime.run(PID)
    assert (answer.status_code, answer.json()["cold"]) == (200, True)
    assert runtime.part.health()["status"] == "ok"
    assert fork_server_of(runtime.processes()) != fork_server
    until(lambda: not folders & machine.folders(), "what it has left is removed")


def _refuses(runtime: Runtime) -> bool:
    try:
        runtime.part.health()
        socket.create_connection(("127.0.0.1", runtime.part.port)).close()
    except ConnectionRefusedError:
        return True
    return False
