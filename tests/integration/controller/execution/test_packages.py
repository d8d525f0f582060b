"""Packages of scripts over two controllers in separate processes, and doubles of `packages` and the runtime."""

import random
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from time import sleep

import pytest
import requests

from controller.database.environments import PostgresEnvironments
from controller.database.folder_parts import FolderParts
from controller.database.postgres import Postgres
from controller.models.environments import Environment, Resolved
from local.state import ROOT
from tests.acceptance.client import Client, error_of
from tests.databases import Database
from tests.integration.controller.execution.building_process import installer
from tests.integration.controller.fake_packages import BYTES, PARTS, FakePackages, part_of
from tests.integration.controller.pair import Crowd, Pair
from tests.waiting import until

TITLE, SCRIPT = "python-packed", "result = 1"
#: Of builders, for each place of the parts.
KILLS = 3


def package(kind: str = "new") -> str:
    return f"{kind}-{uuid.uuid4().hex}"


@pytest.mark.covers("packages: one build for all who ask")
def test_twenty_identical_asks_over_two_controllers_are_one_build(pair: Pair) -> None:
    name, crowd = package(), Crowd(20)
    clients = pair.clients()

    def ask(client: Client) -> requests.Response:
        return client.again().initialize(TITLE, SCRIPT, packages=[name])

    asked = [crowd.ask(partial(ask, client), 10) for client in clients]
    assert {answer.status_code for each in asked for answer in each.answers()} == {200}
    assert pair.packages.resolved[name] == 1
    ((lock, builds),) = [(lock, count) for lock, count in pair.packages.builds.items() if name in lock]
    assert builds == 1
    digest = Environment.of("python", Resolved(lock, "3.11", "linux", [])).digest
    assert pair.runtime.environments[digest] == {number: part_of(lock, number) for number in range(PARTS)}


def test_an_environment_is_shown_pinned_and_sent_again(pair: Pair) -> None:
    one, other = pair.clients()
    name = package()
    session = one.begin(TITLE, f"# /// script\n# dependencies = ['{name}']\n# ///\n")
    detail = other.request("GET", f"/api/v1/functions/{TITLE}").json()
    digest = detail["environment"]
    assert detail["packages"] == [name]
    shown = other.request("GET", f"/api/v1/environments/{digest}").json()
    assert shown == {
        "digest": digest,
        "state": "ready",
        "packages": [{"name": name, "version": "1", "bytes": BYTES, "licence": "MIT"}],
        "lock": f"{name}==1 --hash=sha256:{'0' * 64}\n",
        "bytes": BYTES,
        "built_ms": 1,
    }
    pair.runtime.environments.clear()
    assert other.result(session, {"mark": name}) == 1
    assert set(pair.runtime.environments) == {digest}
    stranger, _ = pair.clients()
    for path in (digest, "0" * 64, "x"):
        error_of(stranger.request("GET", f"/api/v1/environments/{path}"), "NOT_FOUND")


@pytest.mark.parametrize(
    ("kind", "status", "code"), [("broken", 400, "INITIALIZATION_ERROR"), ("cut", 503, "RUNTIME_UNAVAILABLE")]
)
def test_a_refused_or_broken_build_is_told_and_nothing_else_suffers(
    pair: Pair, kind: str, status: int, code: str
) -> None:
    one, _ = pair.clients()
    refused = one.initialize(TITLE, SCRIPT, packages=[package(kind)])
    assert refused.status_code == status
    error = error_of(refused, code)
    if status == 400:
        assert (error["details"]["stage"], error["details"]["diagnostics"]) == (
            "resolve",
            [{"message": "no wheel"}],
        )
    else:
        assert refused.headers["Retry-After"] == "5"
    assert one.initialize(TITLE, SCRIPT).status_code == 200


@pytest.fixture
def packages() -> Iterator[FakePackages]:
    with FakePackages() as made:
        yield made


@pytest.fixture
def postgres(postgres_database: Database) -> Iterator[Postgres]:
    postgres = Postgres(postgres_database.url, size=2, timeout=60)
    yield postgres
    postgres.close()


@pytest.mark.parametrize("in_folder", [False, True])
@pytest.mark.covers("packages: a killed builder leaves no half environment")
def test_a_builder_killed_at_any_moment_leaves_no_half_environment(
    postgres: Postgres, postgres_database: Database, packages: FakePackages, tmp_path: Path, in_folder: bool
) -> None:
    folder = tmp_path / "environments" if in_folder else None
    rows = PostgresEnvironments(postgres)
    parts = rows if folder is None else FolderParts(folder)
    made = Environment.of("python", Resolved(package("slow"), "3.11", "linux", []))
    rows.put_environment(made)

    def complete() -> bool:
        """Whether it is ready; then all of its parts are there."""
        build = rows.use_environment(made.digest)
        if build is None:
            return False
        found = [parts.part(made.digest, build, number) for number in range(PARTS)]
        assert found == [part_of(made.lock, number) for number in range(PARTS)]
        return True

    def begun(before: int) -> bool:
        return packages.builds[made.lock] > before

    command = [sys.executable, "-m", "tests.integration.controller.execution.building_process"]
    command += [postgres_database.url, packages.url, made.digest, *([str(folder)] if folder else [])]
    for _ in range(KILLS):
        before = packages.builds[made.lock]
        builder = subprocess.Popen(command, cwd=ROOT)
        until(partial(begun, before), "the build has begun")
        sleep(random.uniform(0, 1.1 * PARTS * packages.pause))
        builder.send_signal(signal.SIGKILL)
        builder.wait()
        if complete():
            break
    installer(postgres, packages.url, folder).ensure(made.digest)
    assert complete()
