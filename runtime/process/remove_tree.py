"""Removes a script's folder, even if the script made that hard.

Standard library only: the fork server uses it too.
"""

import itertools
import os
from contextlib import suppress


def remove(folder: str | os.PathLike[str]) -> None:
    """Remove a folder with everything in it. What cannot be removed stays; that is no error.

    A script may nest folders deeper than a stack or a path allows, and remove its own permissions on them. So this
    does not recurse: it restores the permissions of each subfolder and moves it to the top before it is emptied.
    """
    top = os.fspath(folder)
    names = (f"{top}/{os.urandom(8).hex()}-{number}" for number in itertools.count())
    waiting = [top]
    emptied = []
    while waiting:
        current = waiting.pop()
        emptied.append(current)
        with suppress(OSError):
            os.chmod(current, 0o700)  # noqa: PTH101 - a Path for each of thousands of entries would be slow
            for entry in list(os.scandir(current)):
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(_moved_up(entry.path, next(names)))
                else:
                    _unlink(entry.path)
    for path in reversed(emptied):
        with suppress(OSError):
            os.rmdir(path)  # noqa: PTH106


def _moved_up(path: str, place: str) -> str:
    """Move a folder to `place`. Return its new path, or its old one if it cannot be moved."""
    with suppress(OSError):
        os.chmod(path, 0o700)  # noqa: PTH101
        os.rename(path, place)  # noqa: PTH104
        return place
    return path


def _unlink(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)  # noqa: PTH108
