"""Where the parts on one machine find each other, and what a start prints."""

import stat
from pathlib import Path

import jwt
import pytest

from framing.place import PATH_MAX_BYTES, place_of
from local.run import guide
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


def test_the_link_opens_the_console_with_a_token_that_may_make_keys(tmp_path: Path) -> None:
    state = State(tmp_path)
    address = "http://127.0.0.1:8080"
    lines = guide(address, state, ["python"]).splitlines()
    (link,) = (line for line in lines if line.startswith(f"{address}/console#token="))
    claims = jwt.decode(link.partition("=")[2], state.secret("JWT_SECRET"), ["HS256"])
    assert {"execute:all", "read:functions", "keys"} <= set(claims["scope"].split())
