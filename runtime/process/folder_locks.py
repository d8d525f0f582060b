"""Locked folders below a state folder that several runtimes may share, and any of them may be killed.

The owner of a folder holds a lock (flock) on it. The kernel releases the lock when the owner ends, even by SIGKILL,
so an unlocked folder has been abandoned. Creating a folder and locking it are two steps; both are done under the lock
of the state folder, so that no other runtime sees a new folder before it is locked.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from configuration.errors import UnusableSetting
from runtime.process import remove_tree

#: How the names of the folders begin, by what is in them.
WORKERS, ENVIRONMENTS = "workers-", "environments-"


class LockedFolder:
    """A new folder below `state`, locked until `release` or the end of this process.

    Args:
        state: The state folder.
        prefix: WORKERS or ENVIRONMENTS.
    """

    def __init__(self, state: Path, prefix: str) -> None:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(state):
            self.folder = Path(tempfile.mkdtemp(prefix=prefix, dir=state))
            self._lock = os.open(self.folder, os.O_RDONLY | os.O_CLOEXEC)
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def release(self) -> None:
        """Remove the folder with everything in it, and release its lock."""
        remove_tree.remove(self.folder)
        os.close(self._lock)


def clear_abandoned(state: Path) -> None:
    """Remove the folders below `state` that are no longer locked.

    Raises:
        UnusableSetting: `state` cannot be created or read.
    """
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(state):
            folders = [folder for prefix in (WORKERS, ENVIRONMENTS) for folder in state.glob(f"{prefix}*")]
            abandoned = [folder for folder in folders if not _is_locked(folder)]
        for folder in abandoned:
            remove_tree.remove(folder)
    except OSError as error:
        raise UnusableSetting(f"STATE_DIR: {error}") from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        # gevent closes a descriptor only after a turn of its loop: the next lock would come too early.
        fcntl.flock(lock, fcntl.LOCK_UN)
        os.close(lock)


def _is_locked(folder: Path) -> bool:
    """Return whether a folder is locked. What is no folder, is gone or cannot be opened counts as locked."""
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
