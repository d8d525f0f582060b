"""Folders that an ordinary account can reach."""

import os
from pathlib import Path

import pytest

from local.supervisor.account import RUNNER, Account, remove

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts programs as somebody else")


def test_a_folder_that_can_be_reached_is_itself() -> None:
    account = Account.own()
    assert account.reads(Path("/usr"))
    assert not account.reads(Path("/nowhere"))


@as_root
def test_behind_a_closed_door_a_link_leads_out(tmp_path: Path) -> None:
    account = Account.named(RUNNER)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    place = account.folder(closed / "state")
    try:
        assert (closed / "state").readlink() == place
        assert account.reads(place)
        assert account.folder(closed / "state") == place
        assert closed.stat().st_mode & 0o777 == 0o700
    finally:
        remove(closed / "state")
    assert not place.exists()


@as_root
def test_a_link_that_came_with_a_copied_checkout_is_not_followed(tmp_path: Path) -> None:
    account = Account.named(RUNNER)
    original, copy = tmp_path / "original", tmp_path / "copy"
    place = account.folder(original)
    copy.symlink_to(place)
    try:
        assert account.folder(copy) != place
        assert account.folder(original) == place
    finally:
        remove(copy)
        remove(original)
