"""The fork server, from which all workers are forked: `python -P -s -S -m runtime.process.forkserver FD`.

The front is a gevent process and must not fork. So it executes this program and talks to it over a SOCK_SEQPACKET
socket, one JSON object per packet:

    front   {"preload": [module, ...], "worker": module or null, "folder": path}     first, once; kept until needed
    server  {"ready": pid}
    front   {"spawn": id, "folder": path, "argv": [..] or null, "env": {}}   with three descriptors:
                                                                             channel, stdout, stderr
    server  {"spawned": id, "pid": pid}                                      with one descriptor: the pidfd
            {"refused": id, "message": text}
    server  {"exited": pid, "status": wait status, "cpu_seconds": number, "peak_memory_bytes": number}
                                                                             after the whole group is dead

Without `argv` the child serves the preloaded worker module (see `runtime.workers.protocol`). With `argv` the child
executes that program, which finds the channel on descriptor 3. With `"probe": true` the child sends one frame with
the active layers of its confinement instead. When the front closes its end or dies, the server kills its children,
removes the folder that contains their private folders, and ends.

It imports the standard library only and has one thread, because a fork copies only the thread that calls it.
"""

import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from runtime.frames import Channel
from runtime.process import child_signals, remove_tree
from runtime.sandbox import confine
from runtime.sandbox.metadata import Listener
from runtime.workers.protocol import serve

_MAX_PACKET = 64 * 1024
_CHANNEL = 3
#: Descriptor of the socket to the fork server, until the child is confined.
_SUPERVISOR = 4
#: Largest frame from the front. The front is trusted: this only limits the damage of a bug.
_MAX_MESSAGE = 1 << 30
_RESET_SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)
#: Python ignores these signals, and an executed program would inherit that.
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


class ForkServer:
    """Forks a child for each request and reports when a child has ended."""

    def __init__(self, control: socket.socket, load: Callable[[], ModuleType | None]) -> None:
        self._control = control
        self._load = load
        self._loaded = False
        self._worker: ModuleType | None = None
        self._children: set[int] = set()
        self._selector = selectors.DefaultSelector()
        self._wakeup_read, wakeup_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        child_signals.ignore_stops()
        signal.set_wakeup_fd(wakeup_write, warn_on_full_buffer=False)

    def run(self) -> None:
        """Serve until the front closes its end."""
        with self._selector as selector:
            selector.register(self._control, selectors.EVENT_READ, self._handle_request)
            selector.register(self._wakeup_read, selectors.EVENT_READ, self._reap)
            self._send({"ready": os.getpid()})
            while True:
                for key, _ in selector.select():
                    if key.data() is False:
                        return

    def _handle_request(self) -> bool:
        try:
            packet, descriptors, _, _ = socket.recv_fds(self._control, _MAX_PACKET, 3)
        except ConnectionResetError:
            return False  # the front was killed before it had read all our messages
        if not packet:
            return False
        request = json.loads(packet)
        try:
            self._spawn(request, descriptors)
        except OSError as error:
            self._send({"refused": request["spawn"], "message": str(error)})
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return True

    def _spawn(self, request: dict[str, Any], descriptors: list[int]) -> None:
        if not (self._loaded or request["argv"] or request["probe"]):
            self._worker = self._load()
            self._loaded = True
        server = os.getpid()
        confinement = confine.Confinement.of(request["confinement"])
        confine.prepare(confinement)
        environment = {**confine.environment(request["folder"]), **request["env"]}
        ours, theirs = socket.socketpair()
        with theirs:
            pid = os.fork()
            if pid == 0:
                sources = [*descriptors, theirs.fileno()]
                _become_child(request, confinement, environment, sources, server, self._worker)
        self._children.add(pid)
        self._selector.register(ours, selectors.EVENT_READ, partial(self._listen, ours, request["folder"]))
        pidfd = os.pidfd_open(pid)
        try:
            self._send({"spawned": request["spawn"], "pid": pid}, pidfd)
        finally:
            os.close(pidfd)

    def _listen(self, child: socket.socket, folder: str) -> bool:
        """Receive the listener of a child that has confined itself."""
        self._selector.unregister(child)
        with child:
            _, descriptors, _, _ = socket.recv_fds(child, 1, 1)
        for descriptor in descriptors:
            listener = Listener(descriptor, folder)
            self._selector.register(
                descriptor, selectors.EVENT_READ, partial(self._change_metadata, listener)
            )
        return True

    def _change_metadata(self, listener: Listener) -> bool:
        if not listener.answer():
            self._selector.unregister(listener.descriptor)
            listener.close()
        return True

    def _reap(self) -> bool:
        """Wait for the children that have ended and report them.

        The group is killed before its leader is waited for: until then the kernel does not reuse the group's number.
        """
        os.read(self._wakeup_read, 4096)
        while (pid := _ended_child()) is not None:
            ours = pid in self._children
            if ours:
                _kill_group(pid)
            _, status, used = os.wait4(pid, 0)
            if ours:
                self._children.remove(pid)
                self._kill_orphans()
                usage = {
                    "cpu_seconds": used.ru_utime + used.ru_stime,
                    "peak_memory_bytes": used.ru_maxrss * 1024,
                }
                self._send({"exited": pid, "status": status, **usage})
        return True

    def end_children(self) -> None:
        """Kill all children and the processes they started, and wait until none is left."""
        for pid in self._children:
            _kill_group(pid)
            os.kill(pid, signal.SIGKILL)
        self._children.clear()
        while _children_of_this_process():
            self._kill_orphans()
            os.wait()

    def _kill_orphans(self) -> None:
        """Kill the processes that left their group and lost their parent. As a subreaper we are their parent now."""
        for pid in _children_of_this_process() - self._children:
            os.kill(pid, signal.SIGKILL)

    def _send(self, message: dict[str, Any], *descriptors: int) -> None:
        # The loop notices when the front has closed its end.
        with suppress(BrokenPipeError):
            socket.send_fds(self._control, [json.dumps(message).encode()], descriptors)


def _ended_child() -> int | None:
    try:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return ended.si_pid if ended else None


def _children_of_this_process() -> set[int]:
    pid = os.getpid()
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return  # it ended before it became the leader of a group


def _become_child(
    request: dict[str, Any],
    confinement: confine.Confinement,
    environment: dict[str, str],
    descriptors: list[int],
    server: int,
    worker: ModuleType | None,
) -> NoReturn:
    """Turn the forked copy of the server into the requested process. It never returns into the server's code."""
    try:
        os.setsid()
        confine.die_with_parent(server, signal.SIGKILL)
        _place_descriptors(*descriptors)
        _restore_signals(executes=bool(request["argv"]))
        os.chdir(request["folder"])
        with socket.socket(fileno=_SUPERVISOR) as supervisor:
            confine.confine(confinement, request["folder"], supervisor)
        if request["argv"]:
            os.execve(request["argv"][0], request["argv"], environment)  # noqa: S606 - no shell is the point
        os.environ.clear()
        os.environ.update(environment)
        channel = Channel(socket.socket(fileno=_CHANNEL), _MAX_MESSAGE)
        if request["probe"]:
            channel.send(confine.active_layers())
        elif worker is not None:
            gc.enable()
            serve(channel, worker.Program())
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 - a child must never go on as a second server
        os.write(2, f"the worker could not start: {error!r}\n".encode(errors="backslashreplace"))
    finally:
        os._exit(1)


def _place_descriptors(channel: int, stdout: int, stderr: int, supervisor: int) -> None:
    """Put /dev/null on descriptor 0, the outputs on 1 and 2, the channel on 3, the supervisor on 4.

    All others are closed.
    """
    nothing = os.open(os.devnull, os.O_RDONLY)
    # A received descriptor may be 1, 2 or 3 itself, so all are moved above the targets first.
    sources = [
        _duplicate_above_targets(descriptor) for descriptor in (nothing, stdout, stderr, channel, supervisor)
    ]
    for target, source in enumerate(sources):
        os.dup2(source, target, inheritable=True)
        os.set_blocking(target, True)
    os.closerange(_SUPERVISOR + 1, os.sysconf("SC_OPEN_MAX"))


def _duplicate_above_targets(descriptor: int) -> int:
    while descriptor <= _SUPERVISOR:
        descriptor = os.dup(descriptor)
    return descriptor


def _restore_signals(*, executes: bool) -> None:
    signal.set_wakeup_fd(-1)
    for number in _RESET_SIGNALS + (_IGNORED_BY_PYTHON if executes else ()):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _preload(modules: list[str], worker: str | None) -> ModuleType | None:
    """Import everything that children share, then remove our own modules and paths: scripts must not import them.

    This is done for the first worker: before a language is used it would only take memory and time.
    """
    for name in modules:
        importlib.import_module(name)
    program = importlib.import_module(worker) if worker else None
    private = os.environ.pop("PYTHONPATH", "").split(os.pathsep)
    sys.path[:] = [entry for entry in sys.path if entry not in private]
    for name in [name for name in sys.modules if name.partition(".")[0] == "runtime"]:
        del sys.modules[name]
    gc.collect()
    gc.freeze()
    return program


def main() -> None:
    """Serve the front on the descriptor named on the command line until the front closes its end."""
    control = socket.socket(fileno=int(sys.argv[1]))
    first = json.loads(control.recv(_MAX_PACKET))
    confine.adopt_orphans()
    gc.disable()
    server = ForkServer(control, partial(_preload, first["preload"], first["worker"]))
    try:
        server.run()
    finally:
        server.end_children()
        remove_tree.remove(first["folder"])


if __name__ == "__main__":
    main()
