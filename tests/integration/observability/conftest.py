"""Prometheus' programs, fetched once, and a service that traces."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.fetch.debian_program import DebianProgram, PackagesError, debian_program
from local.supervisor.account import RUNNER, Account
from tests.acceptance.deployment import Deployment
from tests.conftest import ROOT, missing
from tests.integration.observability.collector import Collector

#: Checks that are no tests tell, too, what they have compared.
CHECKS = ("expected_log", "expected_panels", "expected_rules", "ledger", "load", "seen")
pytest.register_assert_rewrite(*(f"tests.integration.observability.{name}" for name in CHECKS))


def fetched(name: str) -> DebianProgram:
    folder: Path = Account.named(RUNNER).folder(ROOT / ".local") / "prometheus"
    try:
        return debian_program(name, "prometheus", folder)
    except PackagesError as reason:
        missing(f"no {name}", reason)


@pytest.fixture(scope="session")
def prometheus_program() -> DebianProgram:
    return fetched("prometheus")


@pytest.fixture(scope="session")
def promtool() -> DebianProgram:
    return fetched("promtool")


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    with Collector() as started:
        yield started


@pytest.fixture(scope="session")
def traced(
    tmp_path_factory: pytest.TempPathFactory, node_program: str, rust_toolchain: Path, collector: Collector
) -> Iterator[Deployment]:
    """A service whose parts send spans to the collector and log all they can."""
    variables = {**collector.variables, "LOG_LEVEL": "debug"}
    folder = tmp_path_factory.mktemp("traced")
    with Deployment(
        folder, node_program, rust_toolchain, 0, variables, packages=None, **variables
    ) as deployment:
        yield deployment
