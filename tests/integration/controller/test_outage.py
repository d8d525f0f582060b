"""Every call that was answered has its one row, whatever becomes of PostgreSQL and of the processes that log."""

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from local.stores.postgres import PostgresServer
from tests.waiting import until

ROOT = Path(__file__).parents[3]
OUTAGE = 20.0
"""Seconds for which the contract wants it to hold."""


class Processes:
    """Processes that log, and what they have answered."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self.spool = folder / "spool"
        self._folder = folder
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        output = self._folder / f"answered-{len(self._started)}"
        with output.open("wb") as file:
            command = [
                sys.executable,
                "-m",
                "tests.integration.controller.request_log.logging_process",
                self._url,
                str(self.spool),
            ]
            process = subprocess.Popen(command, cwd=ROOT, stdout=file)
        self._started.append(process)
        until(lambda: output.stat().st_size > 0, "it answers")
        return process

    def end(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0

    def answered(self) -> list[str]:
        return [line for path in self._folder.glob("answered-*") for line in path.read_text().split()]

    def answer_more(self, count: int = 50) -> None:
        """Waits until that many more calls were answered."""
        before = len(self.answered())
        until(lambda: len(self.answered()) >= before + count, f"{count} more calls are answered")

    def kill(self) -> None:
        for process in self._started:
            process.kill()
            process.wait()


@pytest.fixture
def processes(own_postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Processes]:
    started = Processes(own_postgres_server.url, tmp_path)
    yield started
    started.kill()


def logged(server: PostgresServer, table: str = "request_logs") -> Counter[str]:
    opened = psycopg2.connect(server.url)
    try:
        with opened.cursor() as cursor:
            cursor.execute(f"SELECT http_request_id FROM {table}")
            return Counter(row[0] for row in cursor.fetchall())
    finally:
        opened.close()


def test_every_answer_has_its_one_row_over_an_outage_and_restarts(
    processes: Processes, own_postgres_server: PostgresServer
) -> None:
    ends_meanwhile, stays = processes.start(), processes.start()
    processes.answer_more()
    own_postgres_server.kill()
    killed = time.monotonic()
    processes.answer_more()
    processes.end(ends_meanwhile)
    processes.end(processes.start())
    begins_meanwhile = processes.start()
    processes.answer_more()
    until(lambda: time.monotonic() - killed >= OUTAGE, "PostgreSQL was away for long enough", OUTAGE + 1)
    own_postgres_server.start()
    processes.answer_more()
    for process in (stays, begins_meanwhile):
        processes.end(process)
    # What the last ones did not come to is for the next process.
    last = processes.start()
    until(lambda: not list(processes.spool.rglob("*.spool")), "all is replayed")
    processes.end(last)
    answered = processes.answered()
    assert len(answered) > 500
    assert logged(own_postgres_server) == Counter(answered)
    assert logged(own_postgres_server, "error_logs") == Counter(
        request_id for request_id in answered if request_id.startswith("0")
    )


def test_what_was_on_disk_when_a_process_was_killed_is_written_by_another(
    processes: Processes, own_postgres_server: PostgresServer
) -> None:
    own_postgres_server.stop()
    killed = processes.start()
    until(lambda: any(path.stat().st_size > 20_000 for path in processes.spool.rglob("*.spool")), "it spools")
    killed.kill()
    killed.wait()
    answered = processes.answered()
    own_postgres_server.start()
    processes.start()
    until(lambda: len(logged(own_postgres_server)) > 50, "it is written", 30)
    until(lambda: not list(processes.spool.rglob("*.spool")), "all is replayed")
    written = logged(own_postgres_server)
    # The last moments were in its memory alone; all before them is there, once.
    kept = [request_id for request_id in answered if written[request_id] == 1]
    assert kept == answered[: len(kept)]
    assert len(kept) > 10
    assert max(written.values()) == 1
