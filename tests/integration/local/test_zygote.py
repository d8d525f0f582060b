"""Servers that are forks of one process."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from local.services import Parts
from local.settings import Settings
from local.state import State
from local.supervisor.account import remove
from local.supervisor.managed_process import PartError
from local.supervisor.proc import PROC, children, command_line, name_of
from local.supervisor.python_server import TEMPLATE, HttpServer
from local.supervisor.zygote import Order, Zygote
from tests.waiting import until


class Nursery:
    """A zygote, and a Python runtime that it forks."""

    def __init__(self, folder: Path, **variables: str) -> None:
        state = State(folder)
        settings = replace(Settings.on_free_ports(runtime=variables), grace=3)
        self.zygote = Zygote(state.log("zygote"), state.code(), TEMPLATE)
        self.server = Parts(state, settings, state.code(), None, self.zygote).runtime("python", "node")

    def start(self) -> HttpServer:
        self.zygote.launch()
        self.server.start()
        return self.server

    def close(self) -> None:
        self.server.stop()
        self.zygote.stop()


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("zygote") / "state"
    yield folder
    remove(folder)


@pytest.fixture
def nursery(folder: Path) -> Iterator[Nursery]:
    with closing(Nursery(folder)) as nursery:
        yield nursery


def test_a_server_is_a_fork_with_an_account_a_session_and_a_folder(nursery: Nursery) -> None:
    server = nursery.start()
    place, account = PROC / str(server.pid), server.account
    status = dict(line.split(":\t", 1) for line in place.joinpath("status").read_text().splitlines())
    assert children(nursery.zygote.pid) == [server.pid]
    assert name_of(server.pid) == "runtime-python"
    assert os.getsid(server.pid) == server.pid
    assert status["Uid"].split() == [str(account.uid)] * 4
    assert status["Gid"].split() == [str(account.gid)] * 4
    assert not account.foreign or status["Groups"].strip() == ""
    assert place.joinpath("cwd").samefile(server.working_folder())
    # Its own /proc is not hidden from it.
    assert place.joinpath("environ").stat().st_uid == account.uid


def test_the_end_of_a_server_is_told_and_it_can_be_forked_again(nursery: Nursery) -> None:
    server = nursery.start()
    first = server.pid
    server.kill()
    assert server.status == -signal.SIGKILL
    assert server.replace()
    server.await_answer()
    assert server.pid != first


def test_servers_end_with_the_zygote_and_none_is_forked_afterwards(nursery: Nursery) -> None:
    server = nursery.start()
    nursery.zygote.kill()
    until(lambda: not server.alive, "the end of the server")
    assert server.status == -signal.SIGTERM
    with pytest.raises(PartError, match=r"^zygote ended by itself \(SIGKILL\)$"):
        server.launch()


def test_one_that_cannot_load_what_servers_share_says_so(tmp_path: Path) -> None:
    zygote = Zygote(tmp_path / "log", tmp_path, TEMPLATE)
    zygote.launch()
    with pytest.raises(PartError, match=r"^zygote ended by itself \(status 1\)\n") as caught:
        zygote.fork(Order("server", [], {}, "/", None, []), [])
    zygote.stop()
    assert "No module named 'local'" in caught.value.log_lines[-1]


def test_several_workers_have_an_arbiter_that_is_a_program(folder: Path) -> None:
    with closing(Nursery(folder, GUNICORN_CMD_ARGS="--workers 2")) as nursery:
        server = nursery.start()
        assert "local.supervisor.alone" in command_line(server.pid)
        until(lambda: len(children(server.pid)) == 2, "two workers")
