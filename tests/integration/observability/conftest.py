"""Prometheus' programs, fetched once."""

from pathlib import Path

import pytest

from local.fetch.debian_packages import PackagesError
from local.fetch.debian_program import DebianProgram
from local.fetch.prometheus import PROGRAMS, program
from local.supervisor.account import RUNNER, Account
from tests.conftest import ROOT, missing

#: Checks that are no tests tell, too, what they have compared.
CHECKS = ("expected_log", "expected_panels", "expected_rules", "ledger", "load", "seen")
pytest.register_assert_rewrite(*(f"tests.integration.observability.{name}" for name in CHECKS))


def fetched(name: str) -> DebianProgram:
    folder: Path = Account.named(RUNNER).folder(ROOT / ".local") / PROGRAMS
    try:
        return program(name, folder)
    except PackagesError as reason:
        missing(f"no {name}", reason)


@pytest.fixture(scope="session")
def prometheus_program() -> DebianProgram:
    return fetched("prometheus")


@pytest.fixture(scope="session")
def promtool() -> DebianProgram:
    return fetched("promtool")
