"""`python -m local.one_shot`, beside the service and alone."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest

from local.local_service import LocalService
from local.services import Parts
from local.settings import Settings
from local.state import ROOT, State
from local.supervisor.supervisor import Supervisor

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
