"""The program of `local.supervisor.zygote`: loads what servers share, and forks them.

It never sees a secret, so a server finds none of another's in its memory. When it forks it has one thread, and no
event loop. The supervisor talks to it over a SOCK_SEQPACKET socket, whose descriptor is its argument, one JSON object
a packet:

    supervisor  an `Order`, with the descriptors of its log and of a listening socket, if it has one
    zygote      {"pid": pid}, or {"refused": message}
    zygote      {"ended": pid, "status": wait status}, then SIGCHLD, as the kernel sends it to a parent
"""

import ctypes
import gc
import json
import os
import select
import signal
import socket
import sys
from importlib import import_module

from gevent import monkey

from local.supervisor.managed_process import bind_to_parent
from local.supervisor.zygote import PACKET_MAX, Order

#: What servers have in common: gunicorn with the template's worker, and the front of a runtime.
_SHARED = ("local.supervisor.alone", "http_worker", "runtime.front.app")
_PR_SET_DUMPABLE, _PR_SET_NAME = 4, 15


class Forks:
    """Forks servers, and reports their ends.

    What waits here is the kernel's own: gevent's would make an event loop, which no fork may share.
    """

    def __init__(self, descriptor: int) -> None:
        self._control = monkey.get_original("socket", "socket")(fileno=descriptor)
        self._poll = monkey.get_original("select", "poll")()
        self._poll.register(self._control, select.POLLIN)
        #: The pids of living servers by their pidfds.
        self._servers: dict[int, int] = {}

    def serve(self) -> Order | None:
        """Fork until the supervisor closes its end: then None. In a forked server, its order."""
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor in self._servers:
                    self._report(descriptor)
                    continue
                packet, descriptors, _, _ = socket.recv_fds(self._control, PACKET_MAX, 2)
                if not packet:
                    return None
                order = Order(**json.loads(packet))
                if self._forked(order, descriptors):
                    return order

    def _forked(self, order: Order, descriptors: list[int]) -> bool:
        """Fork. Return whether this is the server."""
        bind = bind_to_parent(signal.SIGTERM)
        try:
            pid = monkey.get_original("os", "fork")()
        except OSError as error:
            self._send({"refused": str(error)})
        else:
            if pid == 0:
                self._close()
                _become(order, descriptors)
                bind()
                return True
            self._watch(pid)
            self._send({"pid": pid})
        for descriptor in descriptors:
            os.close(descriptor)
        return False

    def _watch(self, pid: int) -> None:
        pidfd = os.pidfd_open(pid)
        self._servers[pidfd] = pid
        self._poll.register(pidfd, select.POLLIN)

    def _report(self, pidfd: int) -> None:
        pid = self._servers.pop(pidfd)
        self._poll.unregister(pidfd)
        os.close(pidfd)
        _, status = monkey.get_original("os", "waitpid")(pid, 0)
        self._send({"ended": pid, "status": os.waitstatus_to_exitcode(status)})
        os.kill(os.getppid(), signal.SIGCHLD)

    def _send(self, message: dict[str, object]) -> None:
        self._control.send(json.dumps(message).encode())

    def _close(self) -> None:
        self._control.close()
        for pidfd in self._servers:
            os.close(pidfd)


def _become(order: Order, descriptors: list[int]) -> None:
    """Make a fork what an executed program of its own session and account would be."""
    log, *listening = descriptors
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, nothing), (1, log), (2, log), *zip(order.listening, listening, strict=True)):
        os.dup2(source, target)
    for descriptor in {nothing, *descriptors}.difference(order.listening):
        os.close(descriptor)
    os.setsid()
    os.chdir(order.folder)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if order.account:
        user, group = order.account
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)
        # The kernel hides the /proc of a process that has changed its account, until it executes a program.
        prctl(_PR_SET_DUMPABLE, 1)
    prctl(_PR_SET_NAME, order.name.encode())
    os.environ.clear()
    os.environ.update(order.environment)
    # gunicorn has taken the zygote's account for the default when it was imported.
    sys.argv[1:] = [*order.arguments, "--user", str(os.getuid()), "--group", str(os.getgid())]


def main() -> None:
    monkey.patch_all()
    for module in _SHARED:
        import_module(module)
    # A collection in a fork would write to every page that it shares.
    gc.collect()
    gc.freeze()
    if Forks(int(sys.argv[1])).serve():
        from local.supervisor.alone import serve  # noqa: PLC0415 - it is loaded, after gevent has patched

        serve()


if __name__ == "__main__":
    main()
