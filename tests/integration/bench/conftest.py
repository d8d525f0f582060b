"""wrk, and one service that scenarios of all groups are run against."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.command import wrk_program
from bench.scenarios import GROUPS
from bench.service import Service
from bench.wrk import Wrk
from local.fetch.debian_program import PackagesError
from local.services import RUNTIMES
from tests.conftest import missing


@pytest.fixture(scope="session")
def load() -> Wrk:
    try:
        return wrk_program()
    except PackagesError as reason:
        missing("no wrk", reason)


@pytest.fixture(scope="session")
def service(
    tmp_path_factory: pytest.TempPathFactory, node_program: str, rust_toolchain: Path
) -> Iterator[Service]:
    """With the variables of all groups together, which only allow more."""
    controller = {name: value for group in GROUPS for name, value in group.controller.items()}
    runtime = {name: value for group in GROUPS for name, value in group.runtime.items()}
    folder = tmp_path_factory.mktemp("bench")
    with Service(folder, list(RUNTIMES), node_program, rust_toolchain, controller, runtime) as started:
        yield started
