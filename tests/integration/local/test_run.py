"""`python -m local.run`, the whole service as a user starts and ends it; and `python -m local.one_shot`."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import psycopg2
import pytest

from local.local_service import LocalService
from local.services import Parts
from local.settings import PORTS, Settings
from local.state import ROOT, State
from local.supervisor.account import remove
from local.supervisor.ports import LOOPBACK, free_port, listens
from local.supervisor.supervisor import Supervisor
from tests.processes import alive, below
from tests.waiting import until

START_TIMEOUT = 120
STOP_TIMEOUT = 60


class Start:
    """One start of the service, with ports of its own."""

    def __init__(self, state: Path, rust: Path, output: Path, ports: dict[str, int]) -> None:
        self.ports = ports
        self._output = output
        command = [sys.executable, "-m", "local.run", "--state", str(state), "--rust", str(rust)]
        environment = os.environ | {name: str(port) for name, port in ports.items()}
        with output.open("w") as file:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT
            )

    def said(self) -> list[str]:
        return self._output.read_text().splitlines()

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.said()
        return any(line.startswith("curl") for line in self.said())

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(STOP_TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.end(signal.SIGTERM)


class Machine:
    """Starts services on one state."""

    def __init__(self, folder: Path, rust: Path) -> None:
        self.state = folder / "state"
        self._folder = folder
        self._rust = rust
        self._starts = 0
        self.ports = {name: free_port() for name in PORTS}

    def start(self) -> Start:
        self._starts += 1
        return Start(self.state, self._rust, self._folder / f"output-{self._starts}", self.ports)

    def parts(self) -> dict[str, int]:
        """Processes of the service that runs, by the names of its parts."""
        record = json.loads((self.state / "run" / "parts.json").read_text())
        return {name: pid for name, pid, _ in record}

    def ready(self) -> Start:
        start = self.start()
        until(start.is_ready, "the service is ready", START_TIMEOUT)
        return start


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, rust_toolchain: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("machine"), rust_toolchain)
    yield machine
    remove(machine.state)


def health(port: int) -> dict[str, object]:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=60)
    connection.request("GET", "/health")
    document: dict[str, object] = json.loads(connection.getresponse().read())
    connection.close()
    return document


def test_it_ends_healthy_its_lines_work_and_ctrl_c_leaves_nothing(machine: Machine) -> None:
    with machine.ready() as start:
        assert health(machine.ports["PORT"])["status"] == "ok"

        lines = [line for line in start.said() if line.startswith(("AUTH=", "curl"))]
        pasted = subprocess.run(["sh"], input="\n".join(lines), capture_output=True, text=True, check=True)
        request_id, rest = pasted.stdout.split("\n", 1)
        executed, session = (json.loads(text) for text in rest.replace("}{", "}\n{").splitlines())
        assert len(lines) == 3
        assert executed["result"] == {"hello": "world"}
        assert (session["request_id"], session["execution_count"]) == (request_id, 1)

        with machine.start() as second:
            assert second.process.wait(STOP_TIMEOUT) == 1
            where = f"http://127.0.0.1:{machine.ports['PORT']} (process {start.process.pid})"
            assert second.said() == [f"already running: {where}"]

        assert_secrets_are_only_where_they_are_needed(machine)
        processes = below(start.process.pid)
        assert len(processes) > 10
        assert start.end(signal.SIGINT) == 0
        assert alive(processes) == []
        assert start.said()[-1] == "stopping"


def assert_secrets_are_only_where_they_are_needed(machine: Machine) -> None:
    """No other process has them, not even in the memory that forks of the zygote share."""
    parts = {name: memory(pid) for name, pid in machine.parts().items()}
    assert "zygote" in parts

    def having(secret: str) -> set[str]:
        value = (machine.state / "secrets" / secret).read_bytes()
        return {name for name, found in parts.items() if value in found}

    assert having("JWT_SECRET") == {"controller"}
    assert having("RUNTIME_SECRET") == {"controller", "runtime-nodejs", "runtime-python", "runtime-rust"}


def memory(pid: int) -> bytes:
    """All that a process has written to its memory, and what it was started with."""
    found = [Path(f"/proc/{pid}/environ").read_bytes()]
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as file:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            place, rights, *_ = line.split()
            first, last = (int(each, 16) for each in place.split("-"))
            if rights.startswith("rw"):
                file.seek(first)
                with suppress(OSError):  # the process has given it back since
                    found.append(file.read(last - first))
    return b"".join(found)


def test_a_start_cleans_up_after_a_killed_one_and_ends_when_a_store_dies(machine: Machine) -> None:
    with machine.ready() as killed:
        left = below(killed.process.pid)
        killed.end(signal.SIGKILL)
    with machine.ready() as start:
        assert health(machine.ports["PORT"])["status"] == "ok"
        until(lambda: alive(left) == [], "the end of what was left")

        port, server = machine.ports["PYTHON_PORT"], machine.parts()["runtime-python"]
        os.kill(server, signal.SIGKILL)
        until(lambda: "runtime-python ended by itself (SIGKILL); started again" in start.said(), "a new one")
        until(lambda: machine.parts()["runtime-python"] != server and listens(port), "it serves")
        assert health(port)["status"] == "ok"

        # Nothing has called what installs packages yet.
        assert "packages" not in machine.parts()
        assert health(machine.ports["PACKAGES_PORT"])["status"] == "ok"
        assert "packages" in machine.parts()

        processes = below(start.process.pid)
        os.kill(machine.parts()["Redis"], signal.SIGKILL)
        assert start.process.wait(STOP_TIMEOUT) == 1
        assert "Redis ended by itself (SIGKILL)" in start.said()
        assert start.said()[-1] == "stopping"
        until(lambda: alive(processes) == [], "the end of every process")


def test_a_used_port_is_one_line(machine: Machine) -> None:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, machine.ports["RUST_PORT"]))
        listener.listen()
        with machine.start() as start:
            assert start.process.wait(STOP_TIMEOUT) == 1
    port = machine.ports["RUST_PORT"]
    expected = f"port {port} (the Rust runtime) is in use; choose another: make run RUST_PORT=..."
    assert start.said() == [expected]


TIMEOUT = 120


def run(state: Path, settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    ports = {name: str(port) for name, port in settings.ports.items()}
    return subprocess.run(
        [sys.executable, "-m", "local.one_shot", "--state", str(state), *arguments],
        cwd=ROOT,
        env=os.environ | ports,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


@pytest.fixture
def settings() -> Settings:
    return Settings.on_free_ports()


@contextmanager
def stores(folder: Path, settings: Settings) -> Iterator[LocalService]:
    """The stores as another command holds them."""
    state = State(folder)
    state.lock()
    supervisor = Supervisor(state.run_folder / "parts.json")
    service = LocalService(Parts(state, settings, ROOT, rust=None), supervisor)
    try:
        service.launch_stores()
        service.await_stores()
        yield service
    finally:
        supervisor.stop()


def titles(url: str) -> set[str]:
    opened = psycopg2.connect(url)
    try:
        with opened.cursor() as cursor:
            cursor.execute("SELECT title FROM functions")
            return {title for (title,) in cursor.fetchall()}
    finally:
        opened.close()


def test_alone_it_starts_the_stores_and_ends_them(folder: Path, settings: Settings) -> None:
    first = run(folder, settings, "migrate")
    assert first.returncode == 0, first.stderr
    assert "registered python-text_processor" in first.stdout
    assert first.stdout.splitlines()[-1] == "stopping"

    again = run(folder, settings, "migrate")
    assert (again.returncode, again.stdout.splitlines()[0]) == (0, "nothing had to be done")

    forgotten = run(folder, settings, "forget", "alice")
    assert forgotten.returncode == 0, forgotten.stdout + forgotten.stderr
    assert not (folder / "run" / "parts.json").exists()


def test_beside_the_service_it_uses_the_stores_that_run(folder: Path, settings: Settings) -> None:
    with stores(folder, settings) as service:
        record = (service.parts.state.run_folder / "parts.json").read_text()
        done = run(folder, settings, "migrate")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "stopping" not in done.stdout
        assert (service.parts.state.run_folder / "parts.json").read_text() == record
        assert "text_processor" in titles(service.postgres.url)


def test_what_it_is_to_do_has_to_be_said(folder: Path, settings: Settings) -> None:
    assert run(folder, settings).returncode == 2
    assert run(folder, settings, "forget").returncode == 2
