"""Secrets, the lock and the logs of `.local/`."""

import re
import stat
from pathlib import Path

import pytest

from local.state import CODE, ROOT, AlreadyRunning, State


def test_a_secret_is_made_once_and_only_its_owner_reads_it(folder: Path) -> None:
    secret = State(folder).secret("JWT_SECRET")
    assert len(secret) >= 32
    assert State(folder).secret("JWT_SECRET") == secret
    assert State(folder).secret("RUNTIME_SECRET") != secret
    assert stat.S_IMODE((folder / "secrets" / "JWT_SECRET").stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "secrets").stat().st_mode) == 0o700


def test_a_second_start_learns_where_the_first_one_is(folder: Path) -> None:
    first = State(folder)
    first.lock()
    first.announce("http://127.0.0.1:8080 (process 1)")
    with pytest.raises(AlreadyRunning, match=r"already running: http://127\.0\.0\.1:8080 \(process 1\)"):
        State(folder).lock()


def test_what_a_lock_says_is_forgotten_with_its_holder(folder: Path) -> None:
    first = State(folder)
    first.lock()
    first.announce("gone")
    del first
    second = State(folder)
    second.lock()
    assert (folder / "run" / "lock").read_text() == ""


def test_the_logs_of_the_start_before_are_kept(folder: Path) -> None:
    state = State(folder)
    state.log("redis").write_text("before")
    state.rotate_logs()
    assert not state.log("redis").exists()
    assert (folder / "log" / "redis.log.1").read_text() == "before"


def test_the_copy_of_the_code_has_all_that_it_imports() -> None:
    others = {path.parent.name for path in ROOT.glob("*/__init__.py")} - set(CODE)
    imports = re.compile(r"^ *(?:from|import) +(\w+)", re.MULTILINE)
    missing = {
        str(path.relative_to(ROOT)): sorted(others & set(imports.findall(path.read_text())))
        for name in CODE
        for path in (ROOT / name).rglob("*.py")
    }
    assert {path: names for path, names in missing.items() if names} == {}
