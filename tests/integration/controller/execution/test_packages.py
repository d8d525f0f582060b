"""Packages of scripts over two controllers, on real stores and doubles of `packages` and the runtime.

As a program it builds an environment. Arguments: the URLs of PostgreSQL and packages, the digest, and a folder.
"""

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
from prometheus_client import CollectorRegistry

from controller.database.environments import PostgresEnvironments
from controller.database.folder_parts import FolderParts
from controller.database.postgres import Postgres
from controller.execution.package_installer import PackageInstaller
from controller.models.environments import Environment, Resolved
from controller.observability.metrics import MetricsCollector
from controller.runtimes.packages_client import PackagesClient
from local.state import ROOT
from tests.acceptance.client import error_of
from tests.databases import Database
from tests.integration.controller.neighbours import BYTES, PARTS, SECRET, FakePackages, part_of
from tests.integration.controller.pair import Pair
from tests.waiting import until

TITLE = "python-packed"
#: Of builders, for each place of the parts.
KILLS = 3
#: Seconds after which a dead builder is replaced.
LEASE = 0.5


def package(kind: str = "new") -> str:
    return f"{kind}-{uuid.uuid4().hex}"


def installer(postgres: Postgres, packages_url: str, folder: Path | None) -> PackageInstaller:
    rows = PostgresEnvironments(postgres)
    parts = rows if folder is None else FolderParts(folder)
    client = PackagesClient(packages_url, SECRET)
    return PackageInstaller(rows, parts, client, MetricsCollector(CollectorRegistry()), LEASE)


def main(url: str, packages_url: str, digest: str, *folders: str) -> None:
    installer(Postgres(url, 2, 60), packages_url, Path(folders[0]) if folders else None).ensure(digest)


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
        # What one that was killed had sent may make it ready afterwards: then the next one ends without a build.
        return packages.builds[made.lock] > before or builder.poll() is not None

    command = [sys.executable, "-m", "tests.integration.controller.execution.test_packages"]
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


if __name__ == "__main__":
    main(*sys.argv[1:])
