"""When a function is ready, and how it ends: by SIGTERM, by a killed process, or because it cannot start."""

import runpy
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from local.supervisor.ports import is_free
from local.supervisor.proc import born, children
from tests.integration.openfaas.build import ROOT, TEMPLATE, Build
from tests.integration.openfaas.conftest import GENERIC
from tests.integration.openfaas.served import Serve, Served
from tests.waiting import until


@pytest.fixture
def echo(serve: Serve) -> Iterator[Served]:
    with serve(GENERIC) as served:
        yield served


def pids(served: Served) -> list[int]:
    """All processes of the function."""
    assert served.process is not None
    found = [served.process.pid]
    for pid in found:
        found += children(pid)
    return found


def call(served: Served, path: str) -> None:
    """Send a request that ends the process that serves it."""
    with suppress(requests.ConnectionError):
        requests.get(f"{served.url}/{path}", timeout=60)


def test_the_function_is_ready_once_the_handler_is_loaded(serve: Serve, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    served = serve(GENERIC, variables={"GATE": str(gate)})
    served.lock.touch()  # as a killed server leaves it
    served.start()
    try:
        until(lambda: not served.lock.exists(), "the old lock is removed")
        early = served.ready()
        gate.touch()
        until(served.ready, "it is ready")
        status = requests.get(f"{served.url}/text", timeout=60).status_code
    finally:
        served.stop()

    assert (early, status) == (False, 200)


def test_a_handler_that_cannot_be_loaded_ends_the_start(serve: Serve) -> None:
    served = serve(GENERIC, variables={"BROKEN": "1"})
    process = served.start()
    try:
        status = process.wait(60)
    finally:
        if process.poll() is None:
            served.stop()

    assert status != 0
    assert "broken as asked" in served.log.read_text()


def test_an_orderly_end_leaves_nothing(echo: Served) -> None:
    family = pids(echo)
    status = echo.stop()

    assert status == 0
    assert not echo.lock.exists()
    assert [pid for pid in family if born(pid) is not None] == []


def test_a_killed_arbiter_ends_the_function_with_an_error(echo: Served, watchdog: Path | None) -> None:
    assert echo.process is not None
    family = pids(echo)
    call(echo, "kill-server")

    assert echo.process.wait(60) != 0
    until(lambda: not any(born(pid) for pid in family), "the workers are gone")
    # With the watchdog there is nobody left to ask.
    assert echo.health() is None if watchdog else not echo.lock.exists()
    assert is_free(urlsplit(echo.url).port or 0)


def test_the_function_is_not_ready_after_gunicorn_has_ended(echo: Served) -> None:
    process = echo.process
    assert process is not None
    call(echo, "end-server")

    until(lambda: not echo.lock.exists(), "the lock is removed")
    # Alone it has ended, and its status says so. The watchdog stays: its health tells.
    until(lambda: process.poll() == 0 or echo.health() == 503, "it says that it is not ready")


def test_a_worker_that_is_killed_again_and_again_is_replaced(echo: Served) -> None:
    for _ in range(3):
        call(echo, "kill-worker")
        until(lambda: "was sent SIGKILL" in echo.log.read_text(), "the death is in the log")
        until(echo.ready, "it is ready again")
        assert requests.get(f"{echo.url}/text", timeout=60).status_code == 200


def test_one_of_several_workers_is_enough(serve: Serve) -> None:
    with serve(GENERIC, variables={"WEB_CONCURRENCY": "2"}) as served:
        until(lambda: served.log.read_text().count("Booting worker") == 2, "two workers")
        call(served, "kill-worker")
        assert served.ready()
        assert requests.get(f"{served.url}/text", timeout=60).status_code == 200


#: What each new process does first, if it is a fork: it says that it is there, and waits.
HELD_FORK = """
import os, pathlib, time
def hold():
    pathlib.Path(os.environ["FORKED"]).touch()
    while not os.path.exists(os.environ["GATE"]):
        time.sleep(0.01)
os.register_at_fork(after_in_child=hold)
"""


def test_sigterm_ends_a_worker_that_has_only_been_forked(serve: Serve, tmp_path: Path) -> None:
    gate, forked = tmp_path / "gate", tmp_path / "forked"
    (tmp_path / "sitecustomize.py").write_text(HELD_FORK)
    variables = {"PYTHONPATH": str(tmp_path), "FORKED": str(forked), "GATE": str(gate)}
    served = serve(GENERIC, variables=variables)
    process = served.start()
    try:
        until(forked.exists, "a worker is forked", 120)
        worker = pids(served)[-1]
        process.terminate()
        until(lambda: pending(worker, signal.SIGTERM), "the worker has its signal")
        gate.touch()
        status = process.wait(60)
    finally:
        gate.touch()
        if process.poll() is None:
            served.stop()

    assert status == 0


def pending(pid: int, number: signal.Signals) -> bool:
    """Return whether the process holds back a signal that it was sent."""
    fields = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return bool(int(fields["ShdPnd"], 16) >> (number - 1) & 1)


def test_drain_is_called_before_running_requests_are_awaited(serve: Serve, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    with serve(GENERIC, variables={"CLOSED": str(closed)}) as served, ThreadPoolExecutor(1) as threads:
        call = threads.submit(requests.get, f"{served.url}/until-drained", timeout=60)
        until(closed.with_suffix(".busy").exists, "the call is under way")
        assert served.stop() == 0

    assert (call.result().status_code, call.result().text) == (200, "from the application")
    assert closed.read_text() == "closed"


def test_gunicorns_gevent_worker_serves_as_long_after_sigterm(serve: Serve, tmp_path: Path) -> None:
    begun, gate = tmp_path / "begun", tmp_path / "gate"
    query = {"begun": str(begun), "gate": str(gate)}
    setting = {"GUNICORN_CMD_ARGS": "--worker-class gevent", "healthcheck_interval": "2s"}
    with serve(GENERIC, variables=setting) as served, ThreadPoolExecutor(1) as threads:
        assert served.process is not None
        slow = threads.submit(requests.get, f"{served.url}/wait", params=query, timeout=60)
        until(begun.exists, "a call is under way")
        served.process.terminate()
        until(lambda: not served.lock.exists(), "it is no longer ready")
        late = requests.get(f"{served.url}/text", timeout=60)
        gate.touch()
        status = served.process.wait(60)

    assert "Using worker: gevent" in served.log.read_text()
    assert (late.status_code, slow.result().text, status) == (200, "waited", 0)


def test_only_the_temporary_folder_is_written_to(serve: Serve, build: Build, tmp_path: Path) -> None:
    """As on a read-only file system. Root could still write, so the files are compared too."""
    home = tmp_path / "home"
    home.mkdir()
    folders = [home, build.made(GENERIC).app]
    setting = {"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    with unwritable(folders):
        before = contents(folders)
        with serve(GENERIC, variables=setting) as served:
            statuses = [
                requests.get(f"{served.url}/{path}", timeout=60).status_code
                for path in ("text", "log", "raise")
            ]
        assert contents(folders) == before

    assert statuses == [200, 200, 500]


@contextmanager
def unwritable(folders: list[Path]) -> Iterator[None]:
    modes = {path: path.stat().st_mode for folder in folders for path in (folder, *folder.rglob("*"))}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)
    try:
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


def contents(folders: list[Path]) -> dict[Path, int]:
    """Return every file with the time of its last change."""
    return {path: path.stat().st_mtime_ns for folder in folders for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({"exec_timeout": "40s", "healthcheck_interval": "5s"}, 6 + 40 + 3),
        ({"exec_timeout": "1m30s", "healthcheck_interval": "1500ms"}, 3 + 90 + 3),
        ({"exec_timeout": "1h", "write_timeout": "45", "healthcheck_interval": "2"}, 3 + 3600 + 3),
        # Nothing stands before it that has to hear of the end first.
        ({"exec_timeout": "310s", "healthcheck_interval": "0s"}, 310 + 3),
        # The watchdog's own defaults.
        ({"write_timeout": "20s"}, 21 + 30 + 3),
        ({}, 31 + 30 + 3),
    ],
)
def test_an_end_waits_for_late_requests_and_then_for_calls(
    variables: dict[str, str], seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "template" / TEMPLATE)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    conf = runpy.run_path(str(ROOT / "template" / TEMPLATE / "gunicorn_conf.py"))
    assert conf["graceful_timeout"] == seconds
