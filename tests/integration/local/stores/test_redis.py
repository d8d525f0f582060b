"""Redis: starts, stops, crashes and starts again with its data."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from local.stores.redis import RedisServer
from local.supervisor.ports import LOOPBACK


@pytest.fixture
def server(folder: Path) -> Iterator[RedisServer]:
    with RedisServer(folder) as server:
        yield server


def test_data_outlive_a_stop(server: RedisServer) -> None:
    client = redis.Redis.from_url(server.url)
    client.set("kept", "1")
    server.stop()
    assert not server.alive
    server.start()
    assert client.get("kept") == b"1"


def test_it_starts_again_after_a_crash(server: RedisServer) -> None:
    server.kill()
    assert not server.answers()
    server.start()
    assert redis.Redis.from_url(server.url).ping()


def test_it_listens_on_loopback_only(server: RedisServer) -> None:
    assert redis.Redis.from_url(server.url).config_get("bind") == {"bind": LOOPBACK}
