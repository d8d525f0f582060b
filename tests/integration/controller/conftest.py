"""The controller's parts on real servers."""

from collections.abc import Iterator

import pytest

from local.postgres import PostgresServer
from local.redis import RedisServer
from tests.integration.controller.parts import Parts


@pytest.fixture
def parts(postgres_server: PostgresServer, redis_server: RedisServer) -> Iterator[Parts]:
    made = Parts(postgres_server.url, redis_server.url)
    yield made
    made.close()


@pytest.fixture
def other_parts(postgres_server: PostgresServer, redis_server: RedisServer) -> Iterator[Parts]:
    """Another process behind the same servers."""
    made = Parts(postgres_server.url, redis_server.url)
    yield made
    made.close()
