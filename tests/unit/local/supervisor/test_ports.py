"""Free ports: no two processes of this machine are given the same one."""

import socket
import subprocess
import sys

from local.state import ROOT
from local.supervisor.ports import LOOPBACK, free_port

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
