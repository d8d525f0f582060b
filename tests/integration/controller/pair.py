"""Two controllers in separate processes, behind one PostgreSQL, one Redis and one runtime of the test's."""

import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import pytest
import requests
from redis import Redis

from local.services import Parts
from local.settings import Settings
from local.state import State
from local.stores.redis import RedisServer
from local.supervisor.ports import LOOPBACK, free_port
from local.supervisor.supervisor import Supervisor
from tests.acceptance.client import Client
from tests.databases import Database
from tests.integration.controller.neighbours import SECRET, FakePackages, FakeRuntime
from tests.waiting import until

SCRIPT = "result = 1"


class Pair:
    """The two controllers, or one; `limits` are their RATE_LIMIT variables.

    The stores are borrowed and the runtime is the test's, so it takes the parts and not the whole LocalService.
    """

    def __init__(
        self, folder: Path, postgres: Database, redis: RedisServer, controllers: int = 2, /, **limits: str
    ) -> None:
        self.runtime = FakeRuntime()
        self.packages = FakePackages()
        self.redis = Redis.from_url(redis.url)
        state = State(folder)
        told = {"PACKAGES_URL": self.packages.url, "PACKAGES_SECRET": SECRET}
        settings = Settings.on_free_ports(limits | told, PYTHON_PORT=self.runtime.port)
        parts = Parts(state, settings, state.code(), rust=None)
        self.controllers = [
            parts.controller(postgres.url, redis.url, ["python"], number=number, port=free_port())
            for number in range(1, controllers + 1)
        ]
        self._supervisor = Supervisor(state.run_folder / "parts.json")
        self._jwt_secret = state.secret("JWT_SECRET")

    def clients(self, scope: str = "execute:all read:functions") -> tuple[Client, Client]:
        """One new user, of the one and of the other controller."""
        user = f"user-{uuid.uuid4()}"
        urls = [f"http://{LOOPBACK}:{controller.port}" for controller in self.controllers]
        one, other = (Client(url, self._jwt_secret, user, scope) for url in (urls[0], urls[-1]))
        return one, other

    def trips(self) -> int:
        """How many scripts Redis was sent so far, which is what executions do there."""
        stats: dict[str, dict[str, int]] = self.redis.info("commandstats")
        return stats.get("cmdstat_evalsha", {}).get("calls", 0)

    def made(self, trips: int) -> bool:
        """Whether Redis was sent that number of scripts."""
        return self.trips() >= trips

    def __enter__(self) -> Self:
        self.runtime.__enter__()
        self.packages.__enter__()
        try:
            self._supervisor.launch(*self.controllers)
            self._supervisor.await_answers(*self.controllers)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._supervisor.stop()
        self.runtime.__exit__()
        self.packages.__exit__()


class Crowd:
    """Many concurrent requests, each in a separate thread."""

    def __init__(self, size: int) -> None:
        self._threads = ThreadPoolExecutor(size)

    def ask(self, request: Callable[[], requests.Response], times: int) -> "Asked":
        return Asked([self._threads.submit(request) for _ in range(times)])


class Asked:
    """Requests under way."""

    def __init__(self, futures: list[Any]) -> None:
        self._futures = futures

    def answers(self) -> list[requests.Response]:
        return [future.result(timeout=60) for future in self._futures]

    def __add__(self, other: "Asked") -> "Asked":
        return Asked(self._futures + other._futures)


def ask_all(
    pair: Pair, crowd: Crowd, requests_of: Sequence[tuple[int, Callable[[], requests.Response]]]
) -> Asked:
    """Returns once Redis has heard of every request."""
    before = pair.trips()
    asked = Asked([])
    for times, request in requests_of:
        asked += crowd.ask(request, times)
    total = sum(times for times, _ in requests_of)
    until(lambda: pair.trips() - before >= total, f"{total} requests have begun")
    return asked


def hang_up(client: Client, session: str, params: dict[str, object], **headers: str) -> None:
    """A request whose client leaves after half a second."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with pytest.raises(requests.ReadTimeout):
        client.request(
            "POST", f"/api/v1/execute/{session}", json={"params": params}, headers=named, timeout=(5, 0.5)
        )
