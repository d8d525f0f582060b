"""Clients with half their executions hits, while a neighbour of the controller fails and comes back.

Each fault lasts for SECONDS of load; `make soak` makes them longer, with 64 clients, and prints what was answered.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.deployment import Deployment
from tests.acceptance.load import CLIENTS, Load
from tests.waiting import until

#: How long one fault is watched, and how long PostgreSQL is away in it.
SECONDS, AWAY = (60, 20) if os.environ.get("SOAK") else (1, 1)


@pytest.fixture(scope="module")
def unlimited(
    tmp_path_factory: pytest.TempPathFactory, node_program: str, rust_toolchain: Path
) -> Iterator[Deployment]:
    """A service without limits on how often one may ask."""
    folder = tmp_path_factory.mktemp("loaded")
    with Deployment(
        folder, node_program, rust_toolchain, languages=["python"], RATE_LIMIT_EXECUTE="off"
    ) as deployment:
        yield deployment


@pytest.fixture
def loaded(unlimited: Deployment) -> Iterator[Deployment]:
    """The same, whole again after each fault."""
    yield unlimited
    unlimited.mend()


def test_redis_is_killed_and_comes_back(loaded: Deployment) -> None:
    with Load(loaded) as load:
        end = _begin(load)
        loaded.redis.kill()
        load.more(100)
        loaded.redis.start()
        _finish(load, end)
    _check(load, allowed=set())


def test_postgresql_is_killed_and_comes_back(loaded: Deployment) -> None:
    with Load(loaded) as load:
        end = _begin(load)
        loaded.postgres.kill()
        time.sleep(AWAY)
        loaded.postgres.start()
        _finish(load, end)
    _check(load, allowed=set())


def test_one_of_two_runtimes_is_killed(loaded: Deployment) -> None:
    second = loaded.add_python_runtime()
    with Load(loaded) as load:
        end = _begin(load)
        second.kill()
        _finish(load, end)
    # Unavoidable: what the killed one had read. It may have run, so it is not run again.
    _check(load, allowed={"RUNTIME_UNAVAILABLE"})
    assert load.outcomes["RUNTIME_UNAVAILABLE"] <= CLIENTS
    health = loaded.client().request("GET", "/health").json()
    assert (health["status"], health["components"]["runtimes"]["python"]) == ("degraded", "degraded")
    second.start()
    until(lambda: loaded.controller.health().get("status") == "ok", "both are well again")


def test_the_controller_ends_and_starts_anew(loaded: Deployment) -> None:
    with Load(loaded) as load:
        end = _begin(load)
        loaded.controller.stop()
        loaded.controller.start()
        _finish(load, end)
    # Unavoidable with one controller: the port refuses connections for a while. What it had begun it has answered.
    _check(load, allowed={"broken"})


def _begin(load: Load) -> float:
    """Returns the time at which the load may end."""
    end = time.monotonic() + SECONDS
    load.more(100)
    return end


def _finish(load: Load, end: float) -> None:
    load.more(100)
    time.sleep(max(0.0, end - time.monotonic()))


def _check(load: Load, allowed: set[str]) -> None:
    print(dict(load.outcomes))
    assert load.wrong == []
    assert set(load.outcomes) - {"ok"} <= allowed
    load.logged_once()
