"""FolderParts: the parts of environments in a folder that all processes of one machine share."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import gevent

from controller.errors import StoreUnavailable

T = TypeVar("T")


class FolderParts:
    """A folder for each environment, in it one for each build. A build that lost its lease disturbs no other.

    Args:
        folder: ENVIRONMENTS_DIR.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put_part(self, digest: str, build: str, part: int, content: bytes) -> bool:
        """See `PartStore.put_part`. It is the row that knows whether the lease is lost."""
        place = self._folder / digest / build
        try:
            _in_thread(_write, place, part, content)
        except OSError as error:
            raise StoreUnavailable("the folder of environments takes no part") from error
        return True

    def part(self, digest: str, build: str, part: int) -> bytes | None:
        """See `PartStore.part`."""
        try:
            return _in_thread((self._folder / digest / build / str(part)).read_bytes)
        except OSError:
            return None

    def drop_parts(self, digest: str, build: str) -> None:
        """See `PartStore.drop_parts`."""
        _in_thread(_remove, self._folder / digest, build)


def _write(place: Path, part: int, content: bytes) -> None:
    place.mkdir(parents=True, exist_ok=True)
    (place / str(part)).write_bytes(content)


def _remove(environment: Path, build: str) -> None:
    shutil.rmtree(environment / build, ignore_errors=True)
    with suppress(OSError):
        environment.rmdir()  # unless it has the parts of another build


def _in_thread(work: Callable[..., T], *arguments: object) -> T:
    """Return what work on the disk returns: gevent's loop goes on beside it. Raises OSError."""
    outcome: T | OSError = gevent.get_hub().threadpool.apply(_attempted, (work, *arguments))
    if isinstance(outcome, OSError):
        raise outcome
    return outcome


def _attempted(work: Callable[..., T], *arguments: object) -> T | OSError:
    """Return the result, or the error: gevent would print one that is raised in a thread."""
    try:
        return work(*arguments)
    except OSError as error:
        return error
