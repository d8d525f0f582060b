"""Confined jobs of uv and npm, bounded in number, time, bytes and files."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import gevent
from gevent.lock import BoundedSemaphore

from runtime.installer.refusals import unavailable
from runtime.installer.registries import Registries
from runtime.installer.settings import Settings
from runtime.process.process import Launch, Process
from runtime.process.spawner import Spawner
from runtime.sandbox.confine import RESERVED_BYTES, Confinement

#: Least seconds between two looks at the folder of a job, and how often longer than a look the pause after it is.
_INTERVAL, _REST = 0.2, 10
#: Seconds that a call waits for others to end.
_QUEUE_TIMEOUT = 10.0
#: How many times the bytes and files of an environment a job's folder may have: it also holds what is downloaded.
_ROOM = 2
#: Added by a job to the number of the signal that ended its tool.
_SIGNALLED = 128
_MEMORY_BYTES = RESERVED_BYTES + (1 << 30)
_OPEN_FILES = 1024
#: Largest lock that a job may write.
_LOCK_MAX_BYTES = 16 << 20


class Overflow(Exception):
    """A job has written more than an environment may have. The message says of what."""


class Jobs:
    """Starts jobs and waits for their end.

    Args:
        settings: The bounds.
        spawner: Starts their processes.
        registries: Masks credentials in what they say.
    """

    def __init__(self, settings: Settings, spawner: Spawner, registries: Registries) -> None:
        self._settings = settings
        self._spawner = spawner
        self._registries = registries
        self._slots = BoundedSemaphore(settings.jobs)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold one of the slots.

        Raises:
            RuntimeUnavailable: None comes free in time.
        """
        if not self._slots.acquire(timeout=_QUEUE_TIMEOUT):
            raise unavailable("other packages are just being installed")
        try:
            yield
        finally:
            self._slots.release()

    def start(
        self,
        argv: tuple[str, ...],
        variables: Mapping[str, str],
        files: Mapping[str, bytes],
        *,
        run: tuple[str, ...],
        read: tuple[str, ...],
        processes: bool,
    ) -> Process:
        """Start a job. The caller closes it.

        Args:
            argv: Its command line.
            variables: Its environment, see `Registries`.
            files: Files of its folder.
            run: What it may execute.
            read: What it may read.
            processes: Whether it may start processes.

        Raises:
            RuntimeUnavailable: No process can be started.
        """
        settings = self._settings
        confinement = Confinement(
            run=run,
            read=(*read, *self._registries.readable(variables)),
            network=True,
            processes=processes,
            memory_bytes=_MEMORY_BYTES,
            cpu_seconds=int(settings.timeout * (os.cpu_count() or 1)) + 1,
            file_bytes=_ROOM * settings.max_bytes,
            open_files=_OPEN_FILES,
            off=settings.isolation_off,
        )
        return self._spawner.start(
            Launch(argv=argv, environment=variables, files=files, confinement=confinement)
        )

    def finish(self, process: Process) -> tuple[int, str]:
        """Wait for the end of a job.

        Returns:
            Its exit status, and what it has said, with the credentials of registries masked.

        Raises:
            RuntimeUnavailable: It was killed, or took too long.
            Overflow: It has written too much.
        """
        deadline, pause = time.monotonic() + self._settings.timeout, _INTERVAL
        while (status := process.wait(pause)) is None:
            looked = time.monotonic()
            if looked > deadline:
                process.kill()
                raise unavailable(f"the job took longer than {self._settings.timeout:g} s")
            self._check(process)
            pause = max(_INTERVAL, _REST * (time.monotonic() - looked))
        self._check(process)
        if status < 0 or status > _SIGNALLED:
            raise unavailable(f"the job was ended by signal {-status if status < 0 else status - _SIGNALLED}")
        stdout, stderr = process.take_output()
        return status, self._registries.mask(f"{stderr}\n{stdout}").replace(f"{process.folder}/", "")

    def _check(self, process: Process) -> None:
        """Kill a job that has written too much. Raises Overflow."""
        used, files = gevent.get_hub().threadpool.apply(usage, (process.folder,))
        try:
            if used >= _ROOM * self._settings.max_bytes:
                raise Overflow(f"{self._settings.max_bytes} bytes")
            if files > _ROOM * self._settings.max_files:
                raise Overflow(f"{self._settings.max_files} files")
        except Overflow:
            process.kill()
            process.wait()
            raise


def written(process: Process, name: str) -> str:
    """Return the text of a file that an ended job has written. The job is not trusted: no link is followed.

    Raises:
        Overflow: The file is too large.
        RuntimeUnavailable: There is no such file.
    """
    try:
        descriptor = os.open(
            process.folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        )
    except OSError as error:
        raise unavailable(f"the job has left no {name}") from error
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
        content = file.read(_LOCK_MAX_BYTES + 1)
    if len(content) > _LOCK_MAX_BYTES:
        raise Overflow(f"{_LOCK_MAX_BYTES} bytes of {name}")
    return content.decode(errors="replace")


def usage(folder: Path) -> tuple[float, float]:
    """Return the bytes and the number of files below a folder. Files with several names count once."""
    used = files = 0.0
    waiting = [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    about = entry.stat(follow_symlinks=False)
                    if not about.st_nlink:
                        continue  # it is being removed
                    used += about.st_size / about.st_nlink
                    files += 1 / about.st_nlink
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:
            continue  # it was just removed
    return used, files
