"""What the hostile suite is started with; that it has no rights is for the suite itself to say."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from local.state import ROOT
from local.supervisor.account import Account
from tools.checks.hostile import SUITE, ClosedInterpreter, command, readable_checkout


@dataclass(frozen=True)
class Sighted(Account):
    """Reads everything, as an account does on a machine where nothing is closed."""

    def reads(self, path: Path) -> bool:
        return True


@dataclass(frozen=True)
class Blind(Account):
    """Reads nothing, as an account does of what lies in root's home."""

    def reads(self, path: Path) -> bool:
        return False


OWN = Sighted("", 1000, 1000, foreign=False)
OTHER = Sighted("nobody", 65534, 65534, foreign=True)
BLIND = Blind("nobody", 65534, 65534, foreign=True)


@pytest.mark.parametrize("account", [OWN, OTHER], ids=["own", "other"])
def test_rights_are_given_up_by_whoever_starts_it(account: Account) -> None:
    options = command(account, [])
    assert {"--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs"} <= set(options)


def test_root_becomes_somebody_else_and_others_stay_who_they_are() -> None:
    assert {"--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"} <= set(
        command(OTHER, [])
    )
    assert not any(option.startswith("--reuid") for option in command(OWN, []))


def test_pytest_gets_the_arguments() -> None:
    assert command(OWN, ["-k", "fork"])[-3:] == [SUITE, "-k", "fork"]


def test_a_python_that_the_account_cannot_run_is_named() -> None:
    with pytest.raises(ClosedInterpreter, match="closed to nobody"):
        command(BLIND, [])


def test_a_checkout_that_can_be_read_is_used_as_it_is(tmp_path: Path) -> None:
    assert readable_checkout(OTHER, tmp_path) == ROOT


def test_behind_a_closed_door_a_fresh_copy_is_used(tmp_path: Path) -> None:
    copy = readable_checkout(BLIND, tmp_path)
    copy.joinpath("stale").touch()
    assert readable_checkout(BLIND, tmp_path) == copy
    assert {"pyproject.toml", "runtime", "tests"} <= {path.name for path in copy.iterdir()}
    assert not {"stale", ".git", ".local"} & {path.name for path in copy.iterdir()}
