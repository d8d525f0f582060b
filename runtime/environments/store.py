"""The environments that a runtime keeps in its state folder, within a bound.

The folder begins empty, and is abandoned when the runtime ends however it ends: the controller sends again what is
needed. An environment's folder has a random name, which is told when the environment is complete, and only to workers
that use it. The top folder cannot be listed.

All work on the disk is done in one thread, so that gevent's loop never waits for it, and two works never meet.
"""

import os
import secrets
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import TypeVar

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from gevent.threadpool import ThreadPool

from runtime.environments import layout
from runtime.environments.manifest import Manifest
from runtime.errors import EnvironmentNeeded, InvalidRequest, RuntimeUnavailable, ServiceError
from runtime.metrics import RuntimeMetrics
from runtime.process import remove_tree
from runtime.process.folder_locks import ENVIRONMENTS, LockedFolder
from runtime.process.packages import Packages

T = TypeVar("T")

#: Owned by the runtime's user, who is the workers' too: to enter and to change, and not to list.
_UNLISTED = 0o300
#: Seconds that an environment is kept after its last part for its first use.
GRACE = 5.0
#: Seconds that a manifest waits for room.
ROOM_TIMEOUT = 10.0
#: Seconds after which one that waits for room looks again for environments that no longer have to be kept.
_LOOK = 0.5


class _Environment:
    """One environment, whole or in part."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        #: The numbers of the parts that are not written yet. All files are checked with the last one.
        self.missing = {0}
        #: The numbers of all parts; none until the manifest has come.
        self.parts = range(0)
        #: Kept until all files are checked.
        self.manifest: Manifest | None = None
        self.disk_bytes = 0
        #: Workers that live with it, and parts that are being written.
        self.users = 0
        self.used = False
        self.touched = monotonic()
        self.writing = BoundedSemaphore()

    def removable(self, grace: float) -> bool:
        return not self.users and (self.used or monotonic() - self.touched >= grace)


class Environments:
    """Receives environments in parts, and lends them to workers.

    Args:
        state: The state folder, which several runtimes may share.
        max_bytes: Most bytes of all environments on the disk.
        metrics: Count uses and evictions.
        end_idle: Ends one idle worker that has an environment, if there is one.
        grace: Seconds that an environment is kept after its last part for its first use.
        room_timeout: Seconds that a manifest waits for room.

    Attributes:
        folder: What contains the folders of all environments.
        listable: Whether the mode of that folder does not keep this user from listing it, as it does not keep root.
    """

    def __init__(
        self,
        state: Path,
        max_bytes: int,
        metrics: RuntimeMetrics,
        end_idle: Callable[[], object],
        *,
        grace: float = GRACE,
        room_timeout: float = ROOM_TIMEOUT,
    ) -> None:
        self._locked_folder = LockedFolder(state, ENVIRONMENTS)
        self.folder = self._locked_folder.folder.resolve() / "kept"
        self.folder.mkdir(mode=_UNLISTED)
        self.listable = os.access(self.folder, os.R_OK)
        self._max_bytes = max_bytes
        self._metrics = metrics
        self._end_idle = end_idle
        self._grace = grace
        self._room_timeout = room_timeout
        #: Those that were used least recently first.
        self._known: OrderedDict[str, _Environment] = OrderedDict()
        self._disk_bytes = 0
        self._freed = Event()
        self._thread = ThreadPool(1)
        metrics.follow_environments(self._count, lambda: self._disk_bytes)

    def check(self, digest: str) -> None:
        """Note that a call asks for an environment.

        Raises:
            EnvironmentNeeded: It is not here, or not all of it.
        """
        environment = self._known.get(digest)
        self._metrics.environment_asked(kept=environment is not None and not environment.missing)
        self._whole(digest)

    def hold(self, digest: str) -> Packages:
        """Return an environment, which is kept until it is released.

        Raises:
            EnvironmentNeeded: It is not here, or not all of it.
        """
        environment = self._whole(digest)
        environment.users += 1
        environment.used = True

        def release() -> None:
            environment.users -= 1
            self._freed.set()

        return Packages(str(environment.folder), release)

    def receive(self, digest: str, part: int, body: bytes) -> None:
        """Take a part. With the last one that was missing all files are checked, and the environment can be used.

        Raises:
            InvalidRequest: The bytes are not those of the part, or a file is not what the manifest says. All parts
                are forgotten.
            EnvironmentNeeded: The manifest has not come yet.
            RuntimeUnavailable: There is no room: workers use all other environments.
        """
        if digest not in self._known and part == 0:
            self._known[digest] = _Environment(self.folder / secrets.token_hex(32))
        environment = self._known.get(digest)
        if environment is None:
            raise EnvironmentNeeded.without([0])
        environment.users += 1
        try:
            with environment.writing:
                self._receive(digest, environment, part, body)
        finally:
            environment.users -= 1
            environment.touched = monotonic()
            self._freed.set()

    def close(self) -> None:
        """Remove everything."""
        self._thread.kill()
        gevent.get_hub().threadpool.apply(self._locked_folder.release)

    def _count(self) -> int:
        return sum(not environment.missing for environment in self._known.values())

    def _whole(self, digest: str) -> _Environment:
        environment = self._known.get(digest)
        if environment is None or environment.missing:
            raise EnvironmentNeeded.without([0] if environment is None else sorted(environment.missing))
        self._known.move_to_end(digest)
        return environment

    def _receive(self, digest: str, environment: _Environment, part: int, body: bytes) -> None:
        if self._known.get(digest) is not environment:
            raise EnvironmentNeeded.without([0])  # another part was wrong
        if part and not environment.parts:
            raise EnvironmentNeeded.without([0])
        if environment.parts and part not in environment.parts:
            raise InvalidRequest("the environment has no such part")
        if part not in environment.missing:
            return
        try:
            self._write(environment, part, body)
        except BaseException as error:
            if part == 0 or isinstance(error, ServiceError | OSError):
                self._remove(digest, environment)
            if isinstance(error, OSError):
                raise RuntimeUnavailable(f"the environment cannot be written: {error.strerror}") from error
            raise

    def _write(self, environment: _Environment, part: int, body: bytes) -> None:
        manifest = environment.manifest
        if manifest is None:
            manifest = environment.manifest = self._in_thread(Manifest.of, body)
            self._make_room(manifest.disk_bytes)
            environment.disk_bytes = manifest.disk_bytes
            self._in_thread(layout.begin, environment.folder, manifest)
            environment.parts = manifest.parts
            environment.missing.update(manifest.parts)
        else:
            self._in_thread(layout.write, environment.folder, manifest, part, body)
        if environment.missing == {part}:
            self._in_thread(layout.seal, environment.folder, manifest)
            environment.manifest = None
        environment.missing.discard(part)

    def _make_room(self, size: int) -> None:
        """Reserve bytes. Raises InvalidRequest, RuntimeUnavailable."""
        if size > self._max_bytes:
            raise InvalidRequest(
                f"the environment takes {size} bytes, and ENVIRONMENTS_MAX_BYTES is {self._max_bytes}"
            )
        full = RuntimeUnavailable("all environments that this runtime has room for are in use")
        with gevent.Timeout(self._room_timeout, full):
            while self._disk_bytes + size > self._max_bytes:
                self._free_some()
        self._disk_bytes += size

    def _free_some(self) -> None:
        """Remove the environment that was used least recently; if workers use all, end an idle one and wait."""
        for digest, environment in self._known.items():
            if environment.removable(self._grace):
                self._metrics.environment_evicted()
                self._remove(digest, environment)
                return
        self._freed.clear()
        self._end_idle()
        self._freed.wait(_LOOK)

    def _remove(self, digest: str, environment: _Environment) -> None:
        if self._known.get(digest) is environment:
            del self._known[digest]
        try:
            self._in_thread(remove_tree.remove, environment.folder)
        finally:
            self._disk_bytes -= environment.disk_bytes
            environment.disk_bytes = 0
            self._freed.set()

    def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        outcome: T | Exception = self._thread.apply(_attempted, (work, *arguments))
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def _attempted(work: Callable[..., T], *arguments: object) -> T | Exception:
    """Return the result, or the error: gevent would print one that is raised in a thread."""
    try:
        return work(*arguments)
    except Exception as error:  # noqa: BLE001 - raised by the greenlet that waits for it
        return error
