"""The controller's parts on real servers."""

from collections.abc import Iterator

import pytest

from local.stores.redis import RedisServer
from tests.databases import Database, copy_of
from tests.integration.controller.pair import Pair
from tests.integration.controller.parts import Parts


@pytest.fixture
def parts(postgres_database: Database, redis_server: RedisServer) -> Iterator[Parts]:
    made = Parts(postgres_database.url, redis_server.url)
    yield made
    made.close()


@pytest.fixture(scope="session")
def pair(
    tmp_path_factory: pytest.TempPathFactory, template_database: str, redis_server: RedisServer
) -> Iterator[Pair]:
    """Two controllers without limits, behind servers that others use too."""
    off = dict.fromkeys(
        ("RATE_LIMIT_EXECUTE", "RATE_LIMIT_INITIALIZE", "RATE_LIMIT_FUNCTIONS", "RATE_LIMIT_MANAGE"), "off"
    )
    database = copy_of(template_database)
    with Pair(tmp_path_factory.mktemp("pair"), database, redis_server, **off) as made:
        yield made


@pytest.fixture(scope="session")
def pair_without_redis(tmp_path_factory: pytest.TempPathFactory, template_database: str) -> Iterator[Pair]:
    """Two controllers that allow five executions a minute, and whose Redis is away."""
    folder, database = tmp_path_factory.mktemp("without-redis"), copy_of(template_database)
    with (
        RedisServer(folder / "redis") as redis,
        Pair(folder / "pair", database, redis, RATE_LIMIT_EXECUTE="5") as made,
    ):
        redis.stop()
        yield made
