"""Removing what a script has left behind, whatever it made of its folder. Standard library only: the fork server uses
it too.
"""

import itertools
import os
import secrets
from contextlib import suppress


def remove(folder: str | os.PathLike[str]) -> None:
    """Remove a folder with all below it; what cannot be removed stays, and is no error.

    A script may nest folders deeper than any stack or path allows and close them to their own owner. So nothing here
    calls itself: each folder is opened to us and moved up to the top before its turn comes.
    """
    top = os.fspath(folder)
    names = (f"{top}/{secrets.token_hex(8)}-{number}" for number in itertools.count())
    waiting = [top]
    emptied = []
    while waiting:
        current = waiting.pop()
        emptied.append(current)
        with suppress(OSError):
            os.chmod(current, 0o700)  # noqa: PTH101 - text all along, there may be thousands
            for entry in list(os.scandir(current)):
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(_moved_up(entry.path, next(names)))
                else:
                    _unlink(entry.path)
    for path in reversed(emptied):
        with suppress(OSError):
            os.rmdir(path)  # noqa: PTH106


def _moved_up(path: str, place: str) -> str:
    """The folder's new place, or its old one when it cannot be moved."""
    with suppress(OSError):
        os.chmod(path, 0o700)  # noqa: PTH101
        os.rename(path, place)  # noqa: PTH104
        return place
    return path


def _unlink(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)  # noqa: PTH108
