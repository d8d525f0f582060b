"""Disk usage of a worker: files in its folder, and deleted files that it still holds open or mapped."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from runtime.sandbox.confine import Confinement

#: Most files and folders in a worker's folder; with more, the usage is reported as infinite.
MAX_FILES = 2000
#: Most bytes of the list of mappings, about ten thousand lines; with more, the usage is reported as infinite.
MAX_MAPS_BYTES = 1 << 20
#: Size charged for a deleted file that is only mapped: the limit of a file's size, because its size is not visible.
_UNSEEN_BYTES = Confinement.file_bytes
_DELETED = b" (deleted)"


def used_bytes(folder: Path, thread: Path) -> float:
    """Return the bytes that a process uses on the disk; infinity when it has too many files or mappings.

    Args:
        folder: The private folder of the process.
        thread: The folder in /proc of any thread of the process; its threads share descriptors and memory.
    """
    held = _held(thread)
    mapped = _mapped(folder, thread)
    if mapped is None:
        return float("inf")
    if not mapped <= held.keys():
        # A file that was deleted after the first look may be open, so that its size can be seen.
        held |= _held(thread)
    return _named(folder) + sum(held.values()) + _UNSEEN_BYTES * len(mapped - held.keys())


def _named(folder: Path) -> float:
    """Return the bytes of everything in the folder."""
    total = seen = 0
    waiting = [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    seen += 1
                    if seen > MAX_FILES:
                        return float("inf")
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(Path(entry.path))
        except FileNotFoundError:
            continue  # the script has just removed it
        except OSError:
            return float("inf")  # the script removed our permission, or made a path that is too long
    return total


def _held(thread: Path) -> dict[int, int]:
    """Return the bytes of each deleted file that a descriptor holds open, by inode."""
    found = {}
    with suppress(OSError), os.scandir(thread / "fd") as descriptors:
        for descriptor in descriptors:
            with suppress(OSError):
                about = descriptor.stat()
                if stat.S_ISREG(about.st_mode) and about.st_nlink == 0:
                    found[about.st_ino] = about.st_blocks * 512
    return found


def _mapped(folder: Path, thread: Path) -> set[int] | None:
    """Return the inodes of deleted files of the folder that are mapped; None when there are too many mappings.

    Only a privileged process can find out how large they are (/proc/<pid>/map_files).
    """
    try:
        with (thread / "maps").open("rb") as file:
            maps = file.read(MAX_MAPS_BYTES)
    except OSError:
        return set()
    if len(maps) == MAX_MAPS_BYTES:
        return None
    if _DELETED not in maps:
        return set()
    beneath = b" " + os.fsencode(os.path.realpath(folder)) + b"/"
    lines = [line for line in maps.splitlines() if line.endswith(_DELETED) and beneath in line]
    return {int(line.split(maxsplit=5)[4]) for line in lines}
