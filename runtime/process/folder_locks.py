"""Who holds which folder below one state folder, where several runtimes may live and any of them may be killed.

A folder is claimed by a lock (flock) on itself, which the kernel lets go when its holder ends, however that comes. So
a folder that nobody has locked has lost its owner. Making one and locking it are two steps; whoever takes them holds
the state folder's own lock meanwhile, so that nobody finds a folder in between.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runtime.process import remove_tree

_PREFIX = "workers-"


class Claim:
    """A new folder below `state`, ours until `release` or the end of this process."""

    def __init__(self, state: Path) -> None:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(state):
            self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=state))
            self._lock = os.open(self.folder, os.O_RDONLY | os.O_CLOEXEC)
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def release(self) -> None:
        """Remove the folder with all below it."""
        remove_tree.remove(self.folder)
        os.close(self._lock)


def clear_abandoned(state: Path) -> None:
    """Remove the folders below `state` that have lost their owner. Raises OSError when `state` cannot be used."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _locked(state):
        abandoned = [folder for folder in state.glob(f"{_PREFIX}*") if not _is_claimed(folder)]
    for folder in abandoned:
        remove_tree.remove(folder)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        # gevent closes a descriptor only after its loop has run: that would be too late for our next lock.
        fcntl.flock(lock, fcntl.LOCK_UN)
        os.close(lock)


def _is_claimed(folder: Path) -> bool:
    """What is no folder, or gone meanwhile, or closed to us, counts as claimed."""
    with suppress(OSError):
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False
    return True
