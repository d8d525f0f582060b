"""What a service on one machine keeps and starts: secrets, lock, logs and token; accounts, ports and signals."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import jwt
import pytest

from local.state import CODE, ROOT, AlreadyRunning, State
from local.supervisor.account import RUNNER, Account, remove
from local.supervisor.ports import LOOPBACK, free_port
from local.supervisor.supervisor import ENDING, Interrupted, Interruption
from local.token import token


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


SECRET = "a secret of at least thirty-two characters"


def test_a_token_names_its_user_and_its_scopes() -> None:
    claims = jwt.decode(token(SECRET, "alice", "execute:python", 60), SECRET, algorithms=["HS256"])
    assert claims["sub"] == "alice"
    assert claims["scope"] == "execute:python"
    assert claims["exp"] - claims["iat"] == 60


def test_a_token_ends() -> None:
    with pytest.raises(jwt.ExpiredSignatureError):
        jwt.decode(token(SECRET, ttl=-1), SECRET, algorithms=["HS256"])


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


ASK = "from local.supervisor.ports import free_port\nprint(*(free_port() for _ in range(300)), flush=True)\ninput()"


def asking() -> "subprocess.Popen[str]":
    """A process that prints the ports it is given, and lives until its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", ASK], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def test_processes_beside_each_other_are_given_different_ports() -> None:
    with asking() as first, asking() as second:
        given = []
        for process in (first, second):
            assert process.stdout is not None
            given.append({int(port) for port in process.stdout.readline().split()})
        given.append({free_port() for _ in range(300)})
        for process in (first, second):
            process.communicate("\n")
    assert len(set.union(*given)) == sum(map(len, given))


def test_a_port_is_not_given_twice_in_a_row_and_not_while_it_is_in_use() -> None:
    first, second = free_port(), free_port()
    assert first != second
    with socket.socket() as listener:
        listener.bind((LOOPBACK, second))
        listener.listen()
        assert second not in {free_port() for _ in range(300)}


@pytest.mark.parametrize("number", sorted(ENDING))
def test_it_is_heard_where_the_program_waits(number: signal.Signals) -> None:
    with Interruption() as interruption:
        signal.pthread_kill(threading.get_ident(), number)
        with pytest.raises(Interrupted):
            interruption.wait()

        signal.pthread_kill(threading.get_ident(), number)
        with pytest.raises(Interrupted):
            interruption.pause(60)


def test_the_end_of_a_child_is_no_interruption() -> None:
    with Interruption() as interruption:
        signal.pthread_kill(threading.get_ident(), signal.SIGCHLD)
        interruption.wait()
