"""Where the parts on one machine find each other."""

import stat
from pathlib import Path

import pytest

from framing.place import PATH_MAX_BYTES, place_of
from local.services import Parts
from local.settings import Settings
from local.state import ROOT, State
from local.supervisor.account import Account, remove


def parts(folder: Path) -> Parts:
    return Parts(State(folder), Settings.on_free_ports(), ROOT, rust=None)


def test_a_runtimes_frames_are_where_its_controller_looks(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    made = parts(folder)
    told = made.runtime("python", "node").environment()["RUNTIME_FRAMES"]
    url = made.controller("postgres://", "redis://", ["python"]).environment()["RUNTIME_URLS"]
    found = place_of(url.partition("=")[2])
    assert found is not None
    assert told == f"unix:{found[1].path}"
    remove(folder)


def test_only_the_controllers_account_reaches_the_folder_of_the_socket(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    state = State(folder)
    owner, guest = Account.named("nobody"), Account.named("daemon")
    status = state.shared_folder("frames", owner, guest).stat()
    assert stat.S_IMODE(status.st_mode) == (0o710 if owner.foreign else 0o700)
    assert (status.st_uid, status.st_gid) == (owner.uid, guest.gid)
    remove(folder)


@pytest.mark.parametrize("name", ["x" * PATH_MAX_BYTES, "one,two", "ü"])
def test_a_path_that_cannot_be_named_leaves_http(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "s"
    made = parts(folder)
    assert "#" in made._runtime_address("python")
    made.state.run_folder = Path("/", name)
    assert "#" not in made._runtime_address("python")
    remove(folder)
