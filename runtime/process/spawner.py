"""The front's side of the fork server: requests processes and learns when they end."""

import itertools
import json
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import gevent
from gevent import socket, subprocess
from gevent.event import AsyncResult
from gevent.lock import BoundedSemaphore

import runtime
from configuration.errors import UnusableSetting
from runtime.errors import RuntimeUnavailable
from runtime.frames import Channel, FrameError
from runtime.process.folder_locks import WORKERS, LockedFolder
from runtime.process.output import Output
from runtime.process.process import End, Launch, Preload, Process, Usage
from runtime.sandbox.confine import Confinement, environment

_MAX_PACKET = 64 * 1024
_START_TIMEOUT = 30.0
_SPAWN_TIMEOUT = 10.0


class Spawner:
    """Starts confined processes through a fork server, and restarts the fork server if it died.

    Args:
        preload: What the fork server imports.
        state: Folder in which the private folders are created.
        output_max_bytes: Most bytes kept of each output stream of a process.
    """

    def __init__(self, preload: Preload, state: Path, output_max_bytes: int) -> None:
        self._preload = preload
        self._state = state
        self._output_max_bytes = output_max_bytes
        self._starting = BoundedSemaphore()
        self._server: _Server | None = None

    def start(self, launch: Launch) -> Process:
        """Start a process.

        Raises:
            RuntimeUnavailable: No process can be started.
        """
        return self._start(launch, probe=False)

    def probe(self, confinement: Confinement) -> dict[str, bool]:
        """Return the active layers of a worker's confinement, as a process started for this purpose finds them.

        Raises:
            RuntimeUnavailable: The process did not start or answer.
        """
        process = self._start(Launch(confinement=confinement), probe=True)
        try:
            with gevent.Timeout(_SPAWN_TIMEOUT, RuntimeUnavailable("the probe did not answer")):
                layers = Channel(process.channel, _MAX_PACKET).receive()
        except FrameError as error:
            raise RuntimeUnavailable(f"the probe failed: {process.stderr.take().strip()}") from error
        finally:
            process.close()
        return layers

    def require_layers(self, confinement: Confinement, names: Sequence[str]) -> None:
        """Check that a worker with this confinement has the layers that a deployment requires.

        Raises:
            UnusableSetting: One is missing.
        """
        layers = self.probe(confinement)
        if missing := [name for name in names if not layers.get(name)]:
            raise UnusableSetting(f"ISOLATION_REQUIRED: not to be had here: {', '.join(missing)}")

    def ready(self) -> None:
        """Make sure that the fork server runs.

        Raises:
            RuntimeUnavailable: It cannot be started.
        """
        self._living_server()

    def close(self) -> None:
        """End the fork server and every process that it started."""
        with self._starting:
            if self._server:
                self._server.close()
                self._server = None

    def _living_server(self) -> "_Server":
        with self._starting:
            if self._server is None or not self._server.alive:
                if self._server:
                    self._server.close()
                self._server = _Server(self._preload, self._state)
            return self._server

    def _start(self, launch: Launch, *, probe: bool) -> Process:
        server = self._living_server()
        folder = Path(tempfile.mkdtemp(dir=server.folder))
        for name, content in launch.files.items():
            (folder / name).write_bytes(content)
        ours, theirs = socket.socketpair()
        pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(2)]
        try:
            pid, pidfd, ended = server.spawn(
                {
                    "folder": str(folder),
                    "argv": launch.argv,
                    "env": dict(launch.environment),
                    "probe": probe,
                    "confinement": launch.confinement.message(),
                },
                [theirs.fileno(), pipes[0][1], pipes[1][1]],
            )
        except BaseException:
            ours.close()
            for read_end, _ in pipes:
                os.close(read_end)
            raise
        finally:
            theirs.close()
            for _, write_end in pipes:
                os.close(write_end)
        stdout, stderr = (self._output(read_end) for read_end, _ in pipes)
        return Process(pid, pidfd, folder, ours, stdout, stderr, ended)

    def _output(self, descriptor: int) -> Output:
        os.set_blocking(descriptor, False)
        return Output(descriptor, self._output_max_bytes)


class _Server:
    """One fork server process, seen from the front."""

    def __init__(self, preload: Preload, state: Path) -> None:
        self._locked_folder = LockedFolder(state, WORKERS)
        self.folder = self._locked_folder.folder
        self._numbers = itertools.count(1)
        self._pending: dict[int, AsyncResult[tuple[int, int, AsyncResult[End]]]] = {}
        self._running: dict[int, AsyncResult[End]] = {}
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._program = self._execute(preload, theirs)
        theirs.close()
        try:
            self._shake_hands(preload)
        except BaseException:
            self._control.close()
            self._locked_folder.release()
            raise
        self._reader = gevent.spawn(self._read)

    @property
    def alive(self) -> bool:
        return not self._reader.ready()

    def spawn(self, request: dict[str, Any], descriptors: list[int]) -> "tuple[int, int, AsyncResult[End]]":
        """Request a child. Return its pid, its pidfd, and the pending result of its end."""
        number = next(self._numbers)
        answer = self._pending[number] = AsyncResult()
        packet = json.dumps({"spawn": number, **request}).encode()
        try:
            socket.send_fds(self._control, [packet], descriptors)
            return cast("tuple[int, int, AsyncResult[End]]", answer.get(timeout=_SPAWN_TIMEOUT))
        except (OSError, gevent.Timeout) as error:
            raise RuntimeUnavailable("the fork server does not answer") from error
        finally:
            self._pending.pop(number, None)

    def close(self) -> None:
        """Close our end of the socket: the server then kills its children, removes their folders, and ends.

        A server that died has not removed the folders, so they are removed here too.
        """
        self._control.shutdown(socket.SHUT_RDWR)
        self._program.wait()
        self._reader.join()
        self._control.close()
        gevent.get_hub().threadpool.apply(self._locked_folder.release)

    def _execute(self, preload: Preload, control: socket.socket) -> "subprocess.Popen[bytes]":
        # The flag belongs to the socket, which the server inherits: with a blocking one its loop stays simple.
        os.set_blocking(control.fileno(), True)
        package_folder = Path(runtime.__file__).parents[1]
        search_path = os.pathsep.join(map(str, (package_folder, *preload.path)))
        return subprocess.Popen(
            [sys.executable, "-P", "-s", "-S", "-m", "runtime.process.forkserver", str(control.fileno())],
            # Forks get the settings of libc from their server's environment.
            env={**environment(os.devnull), "PYTHONPATH": search_path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=(control.fileno(),),
            start_new_session=True,
        )

    def _shake_hands(self, preload: Preload) -> None:
        first = {"preload": preload.modules, "worker": preload.worker, "folder": str(self.folder)}
        self._control.sendall(json.dumps(first).encode())
        with gevent.Timeout(_START_TIMEOUT, RuntimeUnavailable("the fork server did not get ready")):
            if not self._control.recv(_MAX_PACKET):
                raise RuntimeUnavailable("the fork server did not start")

    def _read(self) -> None:
        try:
            while True:
                packet, descriptors, _, _ = socket.recv_fds(self._control, _MAX_PACKET, 1)
                if not packet:
                    return
                self._handle(json.loads(packet), descriptors)
        except OSError:
            return
        finally:
            self._fail_pending()

    def _handle(self, message: dict[str, Any], descriptors: list[int]) -> None:
        if "spawned" in message:
            self._accept_child(message["spawned"], message["pid"], descriptors[0])
        elif "refused" in message:
            refusal = RuntimeUnavailable(f"no process could be started: {message['message']}")
            if answer := self._pending.get(message["refused"]):
                answer.set_exception(refusal)
        else:
            usage = Usage(message["cpu_seconds"], message["peak_memory_bytes"])
            self._running.pop(message["exited"]).set(End(message["status"], usage))

    def _accept_child(self, number: int, pid: int, pidfd: int) -> None:
        ended = self._running[pid] = AsyncResult()
        if answer := self._pending.get(number):
            answer.set((pid, pidfd, ended))
            return
        # The caller has stopped waiting for it.
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os.close(pidfd)

    def _fail_pending(self) -> None:
        """Fail all that waits: the server has ended, and the kernel has killed its children with it."""
        for answer in self._pending.values():
            answer.set_exception(RuntimeUnavailable("the fork server ended"))
        for ended in self._running.values():
            ended.set(End(signal.SIGKILL, Usage(0, 0)))
        self._running.clear()
