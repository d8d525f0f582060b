"""PostgreSQL of the wheel, and Redis: each starts, stops, crashes and starts again with its data."""

import contextlib
import os
import pwd
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
import redis

from local.stores.postgres import PostgresServer
from local.stores.redis import RedisServer
from local.supervisor.account import KEEPER
from local.supervisor.managed_process import PartError
from local.supervisor.ports import LOOPBACK
from local.supervisor.proc import born
from tests.waiting import until


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the server that all tests here share."""
    return tmp_path_factory.mktemp("postgres") / "state"


@pytest.fixture(scope="module")
def shared(place: Path) -> Iterator[PostgresServer]:
    with PostgresServer(place) as server:
        yield server


@pytest.fixture
def server(shared: PostgresServer) -> PostgresServer:
    """It runs, whatever the test before has done to it."""
    if not shared.alive:
        shared.start()
    return shared


def query(server: PostgresServer, sql: str) -> list[tuple[object, ...]]:
    with contextlib.closing(psycopg2.connect(server.url)) as opened, opened, opened.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def test_data_outlive_a_stop_and_a_crash(server: PostgresServer) -> None:
    query(server, "CREATE TABLE kept AS SELECT 1 AS number; SELECT 1")
    server.stop()
    assert not server.alive
    server.start()
    server.kill()
    server.start()
    assert query(server, "SELECT number FROM kept") == [(1,)]


def test_it_asks_for_the_password_and_listens_on_loopback_only(server: PostgresServer) -> None:
    assert query(server, "SHOW listen_addresses") == [("127.0.0.1",)]
    user, _, place = server.url.removeprefix("postgres://").partition(":")
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(f"postgres://{user}:wrong@{place.partition('@')[2]}")


def test_root_does_not_run_it(server: PostgresServer) -> None:
    expected = pwd.getpwnam(KEEPER).pw_uid if os.geteuid() == 0 else os.geteuid()
    assert Path(f"/proc/{server.pid}").stat().st_uid == expected


def test_what_an_earlier_start_left_is_ended(server: PostgresServer, place: Path) -> None:
    later = PostgresServer(place)
    said = later.end_orphan()
    assert said == f"ended the PostgreSQL of an earlier start (process {server.pid})"
    assert born(server.pid) is None
    later.start()
    assert query(later, "SELECT 1") == [(1,)]
    later.stop()


def test_a_stale_lock_is_removed(server: PostgresServer) -> None:
    lock = Path(query(server, "SHOW data_directory")[0][0].__str__(), "postmaster.pid")
    server.stop()
    lock.write_text(f"{os.getpid()}\n")
    server.start()
    assert query(server, "SELECT 1") == [(1,)]


def test_another_password_is_named_as_the_reason(server: PostgresServer, place: Path) -> None:
    server.stop()
    other = PostgresServer(place, password="another one")
    with pytest.raises(PartError, match="made with another password"):
        other.start()
    other.stop()


def test_it_ends_by_itself_when_told_from_outside(server: PostgresServer) -> None:
    os.kill(server.pid, signal.SIGINT)
    until(lambda: not server.alive, "PostgreSQL's end")
    assert "ended by itself" in str(server.failure())


@pytest.fixture
def kept(folder: Path) -> Iterator[RedisServer]:
    with RedisServer(folder) as kept:
        yield kept


def test_data_outlive_a_stop(kept: RedisServer) -> None:
    client = redis.Redis.from_url(kept.url)
    client.set("kept", "1")
    kept.stop()
    assert not kept.alive
    kept.start()
    assert client.get("kept") == b"1"


def test_it_starts_again_after_a_crash(kept: RedisServer) -> None:
    kept.kill()
    assert not kept.answers()
    kept.start()
    assert redis.Redis.from_url(kept.url).ping()


def test_it_listens_on_loopback_only(kept: RedisServer) -> None:
    assert redis.Redis.from_url(kept.url).config_get("bind") == {"bind": LOOPBACK}
